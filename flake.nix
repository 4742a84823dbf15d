# The environment. `nix develop` gives every tool in the version that `./x` also sets up without Nix; inside it, `./x`
# uses what is there. Inputs are pinned by revision.
{
  description = "Sandhill: WebAssembly components on an RP2350, proven on a bench";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/b7c2ada94fe99c15b0dbcf4d11fd7850b957a436";
    rust-overlay = {
      url = "github:oxalica/rust-overlay/fd2ebb9cc4323d0c5a1336138dab5c3c5a5d8bd9";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs = { nixpkgs, rust-overlay, ... }:
    let
      # The systems for which wasi-sdk is fetched below.
      wasiSdk = {
        x86_64-linux = { arch = "x86_64-linux"; hash = "sha256-C6i1v66yrfPym6tYQdds9TGKuOFkLqGV+IuroavUe84="; };
        aarch64-linux = { arch = "arm64-linux"; hash = "sha256-T5juc4x6u0XIGpTRRh/FPMVp0c0BSYlRyBhNhBoCeEQ="; };
      };
      forEach = f: nixpkgs.lib.mapAttrs f wasiSdk;
    in
    {
      devShells = forEach (system: release:
        let
          pkgs = import nixpkgs { inherit system; overlays = [ rust-overlay.overlays.default ]; };

          # nixpkgs has no wasi-sdk: the project's own release.
          wasi-sdk = pkgs.stdenv.mkDerivation rec {
            pname = "wasi-sdk";
            version = "33.0";
            src = pkgs.fetchurl {
              url = "https://github.com/WebAssembly/wasi-sdk/releases/download/wasi-sdk-33/wasi-sdk-${version}-${release.arch}.tar.gz";
              inherit (release) hash;
            };
            nativeBuildInputs = [ pkgs.autoPatchelfHook ];
            buildInputs = [ pkgs.stdenv.cc.cc pkgs.zlib ];
            dontStrip = true;
            installPhase = "cp -r . $out";
          };
        in
        {
          default = pkgs.mkShell {
            packages = [
              (pkgs.rust-bin.fromRustupToolchainFile ./rust-toolchain.toml)
              pkgs.cargo-component
              pkgs.zig_0_16
              pkgs.sigrok-cli
              pkgs.probe-rs-tools
              pkgs.mcuboot-imgtool
              pkgs.smpmgr
              pkgs.unicorn
              pkgs.pkg-config
              pkgs.udev
              pkgs.shellcheck
            ];
            SANDHILL_NIX = "1";
            WASI_SDK_PATH = wasi-sdk;
            # wasi-sdk's clang compiles for WebAssembly alone; this one, without Nix's wrapper, for the chip too.
            CLANG_FOR_CHIP = "${pkgs.llvmPackages.clang-unwrapped}/bin/clang";
            UNICORN_LIBRARY = "${pkgs.unicorn}/lib/libunicorn.so.2";
          };
        });

      formatter = forEach (system: _: nixpkgs.legacyPackages.${system}.nixpkgs-fmt);
    };
}
