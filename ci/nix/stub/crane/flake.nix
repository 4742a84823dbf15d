# A stand-in for crane, see ../nixpkgs/flake.nix. Promises to take the arguments that the flake gives the real one, and to
# read lock files as it does: a crate without a checksum is an error.
{
  outputs = _: {
    mkLib = pkgs: {
      overrideToolchain = toolchain: {
        vendorMultipleCargoDeps = { cargoLockList }: pkgs.stdenv.mkDerivation {
          name = "vendor-cargo-deps";
          crates = pkgs.lib.concatMap
            (lock: map (package: "${package.name}-${package.version} ${package.checksum}")
              (pkgs.lib.filter (package: package ? source) (pkgs.lib.importTOML lock).package))
            cargoLockList;
        };

        buildPackage = arguments:
          let
            known = [
              "CARGO_PROFILE"
              "buildInputs"
              "cargoExtraArgs"
              "cargoVendorDir"
              "doCheck"
              "meta"
              "nativeBuildInputs"
              "pname"
              "postInstall"
              "postPatch"
              "src"
              "strictDeps"
              "version"
            ];
            unknown = pkgs.lib.subtractLists known (builtins.attrNames arguments);
          in
          pkgs.lib.throwIf (unknown != [ ]) "crane's buildPackage is not known to take ${toString unknown}"
            (pkgs.stdenv.mkDerivation (arguments // { nativeBuildInputs = arguments.nativeBuildInputs ++ [ toolchain ]; }));
      };
    };
  };
}
