# What `nix flake check` builds: the checks of ./x lint and ./x test, the guests on the virtual bench, and whether two
# builds that differ in everything that must not matter give the same bytes.
#
# Promises that each is one command of ./x or of a tool that users have, and that only `book`, and `repository`, whose
# tests read docs/, are built again when those change.
{ pkgs, root, toolchain, cargo, packages }:
let
  inherit (pkgs) lib;
  inherit (lib) fileset;
  inherit (packages) everything sources allCrates guests;
  artefacts = packages.packages.default;

  # `commands` where all tools are, in a checkout of `src`.
  check = name: src: commands: pkgs.stdenv.mkDerivation (toolchain.environment // {
    inherit name src;
    strictDeps = true;
    nativeBuildInputs = toolchain.all;
    buildInputs = toolchain.libraries;
    SANDHILL_GUEST_KEY = root + "/ci/reproduce/key.pem";
    configurePhase = ''
      runHook preConfigure
      export HOME="$NIX_BUILD_TOP/home" ZIG_GLOBAL_CACHE_DIR="$NIX_BUILD_TOP/zig"
      ${cargo.home allCrates}
      runHook postConfigure
    '';
    buildPhase = ''
      runHook preBuild
      ${commands}
      runHook postBuild
    '';
    installPhase = ''
      runHook preInstall
      touch "$out"
      runHook postInstall
    '';
  });

  everyFile = fileset.toSource { inherit root; fileset = root; };
  code = fileset.toSource {
    inherit root;
    fileset = fileset.difference root (fileset.unions [ (root + "/docs") (root + "/README.md") ]);
  };
in
{
  fmt = check "sandhill-fmt" sources ''
    cargo fmt --all --check
  '';

  nix = check "sandhill-nix"
    (fileset.toSource { inherit root; fileset = fileset.fileFilter (file: file.hasExt "nix") root; }) ''
    deadnix --fail .
    nixpkgs-fmt --check .
  '';

  clippy = check "sandhill-clippy" code ''
    ./x lint
  '';

  # Those of xtask are about the repository as a whole.
  tests = check "sandhill-tests" sources ''
    ./x test --workspace --exclude xtask --exclude sandhill-rp2350 --exclude sandhill-hazard3 --exclude sandhill-rivals
  '';

  repository = check "sandhill-repository" everyFile ''
    ./x test --package xtask
  '';

  book = check "sandhill-book" everyFile ''
    ./x book
  '';

  hil = pkgs.runCommand "sandhill-hil" { nativeBuildInputs = [ packages.packages.hil ]; } ''
    hil run --artefacts ${artefacts} --out "$out"
  '';

  # All at once in one folder, all at once in another, and each package by itself.
  reproducibility =
    let
      again = (everything "elsewhere/under-another-name").overrideAttrs (before: {
        preBuild = ''
          export HOME="$NIX_BUILD_TOP/another home" TZ=Pacific/Chatham LC_ALL=C CARGO_BUILD_JOBS=1
          umask 077
        '';
        meta = before.meta // { description = "The same, built in another way"; };
      });
      alone = guests // { inherit (packages.packages) firmware; };
      place = name: if name == "firmware" then name else "guests/${lib.removePrefix "guest-" name}";
    in
    pkgs.runCommand "sandhill-reproducibility" { } ''
      diff --recursive ${artefacts} ${again}
      ${lib.concatStrings (lib.mapAttrsToList (name: package: ''
        diff --recursive ${artefacts}/${place name} ${package}
      '') alone)}
      touch "$out"
    '';
}
