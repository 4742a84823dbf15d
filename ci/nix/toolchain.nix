# The tools, in the versions that ci/setup installs where there is no Nix. xtask/tests/versions.rs compares the two.
#
# Promises that a tool which decides about bytes of an artefact has exactly the version that is named here: nixpkgs with
# another one does not evaluate. Of those that only look at artefacts (imgtool, smpmgr, sigrok-cli, mdbook…) it takes
# what nixpkgs has.
{ pkgs }:
let
  inherit (pkgs) lib;

  exactly = version: package:
    if package.version == version then package
    else throw "nixpkgs has ${package.pname} ${package.version}, Sandhill is built with ${version}: pin another nixpkgs, or change ci/setup as well";

  # The compiler and its wasi-libc as the project releases them; nixpkgs packages the two apart, and no such layout.
  wasiSdkVersion = "33.0";
  wasiSdkReleases = {
    x86_64-linux = { name = "x86_64-linux"; hash = "sha256-C6i1v66yrfPym6tYQdds9TGKuOFkLqGV+IuroavUe84="; };
    aarch64-linux = { name = "arm64-linux"; hash = "sha256-T5juc4x6u0XIGpTRRh/FPMVp0c0BSYlRyBhNhBoCeEQ="; };
  };
  wasiSdkRelease = wasiSdkReleases.${pkgs.stdenv.hostPlatform.system};
in
rec {
  rust = pkgs.rust-bin.fromRustupToolchainFile ../../rust-toolchain.toml;
  zig = exactly "0.16.0" pkgs.zig_0_16;
  cargo-component = exactly "0.21.1" pkgs.cargo-component;

  wasi-sdk = pkgs.stdenv.mkDerivation {
    pname = "wasi-sdk";
    version = wasiSdkVersion;
    src = pkgs.fetchurl {
      url = "https://github.com/WebAssembly/wasi-sdk/releases/download/wasi-sdk-${lib.versions.major wasiSdkVersion}/wasi-sdk-${wasiSdkVersion}-${wasiSdkRelease.name}.tar.gz";
      inherit (wasiSdkRelease) hash;
    };
    strictDeps = true;
    nativeBuildInputs = [ pkgs.autoPatchelfHook ];
    buildInputs = [ pkgs.stdenv.cc.cc pkgs.zlib ];
    dontConfigure = true;
    dontBuild = true;
    # Its libraries are WebAssembly, which the host's strip does not know.
    dontStrip = true;
    installPhase = ''
      runHook preInstall
      cp -r . "$out"
      runHook postInstall
    '';
    meta = {
      description = "Clang, wasm-ld and wasi-libc for WebAssembly";
      homepage = "https://github.com/WebAssembly/wasi-sdk";
      license = lib.licenses.asl20;
      platforms = lib.attrNames wasiSdkReleases;
      sourceProvenance = [ lib.sourceTypes.binaryNativeCode ];
    };
  };

  # What a guest of each language is built with.
  guest = {
    rust = [ rust cargo-component ];
    c = [ pkgs.gnumake ];
    zig = [ zig ];
  };

  # What the host's crates need besides Rust, where they are built.
  native = [ pkgs.pkg-config ];
  libraries = [ pkgs.udev ];

  # Every tool that a verb of ./x runs, and what people want at hand beside them.
  all = lib.unique (lib.concatLists (lib.attrValues guest)) ++ native ++ libraries ++ [
    # Benches and boards
    pkgs.sigrok-cli
    pkgs.probe-rs-tools
    pkgs.picotool
    # Images and updates
    pkgs.mcuboot-imgtool
    pkgs.smpmgr
    # WebAssembly by hand
    pkgs.wit-bindgen
    pkgs.wasm-tools
    # The CPU that the chip model is checked against
    pkgs.unicorn
    # ./x lint, ./x book, ./x audit, ./x reproduce; xtask/tests
    pkgs.shellcheck
    pkgs.deadnix
    pkgs.nixpkgs-fmt
    pkgs.mdbook
    pkgs.cargo-deny
    pkgs.cargo-vet
    pkgs.libfaketime
    pkgs.nix
    pkgs.git
  ];

  # Where those are that are not found by PATH. No test needs a browser, so there is none.
  environment = {
    # ./x sets nothing up.
    SANDHILL_NIX = "1";
    WASI_SDK_PATH = "${wasi-sdk}";
    # wasi-sdk's clang compiles for WebAssembly alone; this one, without Nix's wrapper, for the chip too.
    CLANG_FOR_CHIP = "${pkgs.llvmPackages.clang-unwrapped}/bin/clang";
    UNICORN_LIBRARY = "${pkgs.unicorn}/lib/libunicorn.so.2";
  };
}
