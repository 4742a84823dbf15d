# `import nixpkgs { system, overlays }`: packages, and the functions that make derivations.
{ system, overlays ? [ ] }:
let
  lib = import ./lib.nix;

  # What `builtins.derivation` takes; meta, passthru and env are the work of nixpkgs' mkDerivation.
  mkDerivation = arguments:
    let
      name = arguments.name or "${arguments.pname}-${arguments.version}";
      known = [ "description" "homepage" "license" "mainProgram" "platforms" "sourceProvenance" ];
      meta = arguments.meta or { };
      unknown = lib.subtractLists known (lib.attrNames meta);
    in
    lib.throwIf (unknown != [ ]) "${name}: meta has ${toString unknown}"
      (builtins.derivation
        (removeAttrs arguments [ "meta" "passthru" "env" ] // arguments.env or { } // {
          inherit name system;
          builder = "/the/stub/builds/nothing";
        }) // {
        pname = arguments.pname or name;
        version = arguments.version or "";
        inherit meta;
        overrideAttrs = change: mkDerivation (arguments // change arguments);
      } // arguments.passthru or { });

  stdenv = {
    inherit mkDerivation;
    cc = { cc = mkDerivation { pname = "gcc"; version = "0"; }; };
    hostPlatform = { inherit system; };
  };

  functions = {
    inherit lib stdenv system;

    mkShell = { packages ? [ ], ... }@arguments: mkDerivation (removeAttrs arguments [ "packages" ] // {
      name = "nix-shell";
      nativeBuildInputs = packages;
    });

    runCommand = name: environment: buildCommand: mkDerivation (environment // { inherit name buildCommand; });

    fetchurl = { url, hash }: builtins.derivation {
      name = baseNameOf url;
      inherit system url;
      builder = "/the/stub/builds/nothing";
      outputHashMode = "flat";
      outputHashAlgo = null;
      outputHash = hash;
    };

    formats.toml = {}: {
      generate = name: value: mkDerivation { inherit name; value = builtins.toJSON value; };
    };

    llvmPackages = { clang-unwrapped = mkDerivation { pname = "clang"; version = "0"; }; };
  };

  packages = lib.mapAttrs
    (pname: { version ? "0", mainProgram ? null }: mkDerivation {
      inherit pname version;
      meta = if mainProgram == null then { } else { inherit mainProgram; };
    })
    (import ./packages.nix);

  base = packages // functions;
  # Overlays as nixpkgs applies them: final sees all of them, previous what was there before.
  final = lib.foldl' (previous: overlay: previous // overlay final previous) base overlays;
in
final
