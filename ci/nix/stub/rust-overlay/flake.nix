# A stand-in for rust-overlay, see ../nixpkgs/flake.nix. Promises to refuse what the real one does not know: it has
# releases, components and targets by name.
{
  outputs = _: {
    overlays.default = _: previous: {
      rust-bin.fromRustupToolchainFile = file:
        let
          inherit (builtins.fromTOML (builtins.readFile file)) toolchain;
          known = what: names: name:
            if builtins.elem name names then name else throw "rust-overlay has no ${what} ${name}";
        in
        previous.stdenv.mkDerivation {
          pname = "rust";
          # Those that manifests/stable of the pinned revision has around ours.
          version = known "release" [ "1.95.0" "1.96.0" "1.96.1" "1.97.0" "1.98.0" ] toolchain.channel;
          components = map (known "component" [ "clippy" "rustfmt" "rust-src" ]) toolchain.components;
          targets = map (known "target" [ "thumbv8m.main-none-eabihf" "wasm32-unknown-unknown" "wasm32-wasip1" ]) toolchain.targets;
        };
    };
  };
}
