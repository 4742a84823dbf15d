# What is built: the host tools, the guests, the firmware, and all artefacts at once.
#
# Promises that a guest's derivation knows nothing of host/ and hil/, and none knows docs/. Leaves how a thing is built to
# xtask and guest-pack, which `./x` calls in the same way.
#
# A build has no key of its own: images are signed with ci/reproduce/key.pem, whose private half is public, and the
# firmware runs what that key signed. For a device of yours: `firmware.override { guestKeys = [ "<64 hex digits>" ]; }`,
# and `guest-pack sign` for the images, outside of Nix, whose store everybody on the machine can read.
{ pkgs, root, toolchain, cargo }:
let
  inherit (pkgs) lib;
  inherit (lib) fileset;
  inherit (cargo) version;

  publicKeyPair = root + "/ci/reproduce/key.pem";
  signedFor = " Signed with a key that everybody has: for trying out, not for a device that matters.";

  meta = description: {
    inherit description;
    license = [ lib.licenses.mit lib.licenses.asl20 ];
    platforms = lib.platforms.linux;
  };

  # A program of the workspace. Dependencies are built by themselves first, so they last until Cargo.lock changes.
  program = { name, member, description, beside ? [ ], extra ? { } }: cargo.craneLib.buildPackage (
    cargo.members { members = [ member ]; inherit beside; } // {
      pname = name;
      inherit version;
      cargoVendorDir = cargo.vendor [ (root + "/Cargo.lock") ];
      # Not --locked: see cargo.members.
      cargoExtraArgs = "--offline --package ${name}";
      strictDeps = true;
      nativeBuildInputs = toolchain.native ++ extra.nativeBuildInputs or [ ];
      buildInputs = toolchain.libraries;
      # Tests want artefacts: checks.tests has them.
      doCheck = false;
      meta = meta description // { mainProgram = name; };
    } // removeAttrs extra [ "nativeBuildInputs" ]
  );

  guest-pack = program {
    name = "guest-pack";
    member = "guests/pack";
    description = "Makes signed flash images of WebAssembly guests";
    beside = [ (root + "/wit") ];
    # As ./x builds it.
    extra.CARGO_PROFILE = "dev";
  };

  virtual-bench = program {
    name = "virtual-bench";
    member = "hil/bench";
    description = "A board, its debug probe and its logic analyser, on TCP ports";
  };

  hil = program {
    name = "hil";
    member = "hil/runner";
    description = "Flashes guests, looks at their pins, judges, reports";
    # Default tests and benches are part of the program.
    beside = [ (root + "/hil/benches") (fileset.fileFilter (file: file.hasExt "toml") (root + "/hil/tests")) ];
    extra = {
      nativeBuildInputs = [ pkgs.makeWrapper ];
      postInstall = ''
        wrapProgram "$out/bin/hil" --prefix PATH : ${lib.makeBinPath [ virtual-bench pkgs.sigrok-cli ]}
      '';
    };
  };

  # Bytes are delivered as they were built.
  untouched = { strictDeps = true; dontFixup = true; };

  guest = program: language:
    let
      name = "${program}-${language}";
      folder = root + "/guests/${program}/${language}";
    in
    pkgs.stdenv.mkDerivation (untouched // lib.optionalAttrs (language == "c") { inherit (toolchain.environment) WASI_SDK_PATH; } // {
      pname = "guest-${name}";
      inherit version;
      src = fileset.toSource {
        inherit root;
        fileset = fileset.unions [
          folder
          (fileset.maybeMissing (root + "/guests/${program}/policy.toml"))
          (fileset.maybeMissing (root + "/guests/platform/${language}"))
          (root + "/wit")
        ];
      };
      nativeBuildInputs = [ guest-pack ] ++ toolchain.guest.${language};
      SANDHILL_GUEST_KEY = publicKeyPair;
      configurePhase = ''
        runHook preConfigure
        export HOME="$NIX_BUILD_TOP/home" ZIG_GLOBAL_CACHE_DIR="$NIX_BUILD_TOP/zig"
        ${lib.optionalString (language == "rust") (cargo.home (cargo.vendor [ (folder + "/Cargo.lock") cargo.std ]))}
        runHook postConfigure
      '';
      buildPhase = ''
        runHook preBuild
        guest-pack build --root . --out packed ${name}
        runHook postBuild
      '';
      installPhase = ''
        runHook preInstall
        cp -r packed/${name} "$out"
        runHook postInstall
      '';
      meta = meta "The guest ${program} in ${language}: component, .cwasm and flash image.${signedFor}";
    });

  folders = path: lib.attrNames (lib.filterAttrs (_: kind: kind == "directory") (builtins.readDir path));
  programs = lib.subtractLists [ "fixtures" "pack" "platform" ] (folders (root + "/guests"));
  guests = lib.listToAttrs (lib.concatMap
    (program: map
      (language: lib.nameValuePair "guest-${program}-${language}" (guest program language))
      (folders (root + "/guests/${program}")))
    programs);

  firmware = lib.makeOverridable
    ({ guestKeys ? null }: pkgs.stdenv.mkDerivation (untouched // cargo.members {
      members = [ "host/rp2350" "xtask" ];
      beside = [ (root + "/wit") ];
    } // {
      pname = "sandhill-firmware";
      inherit version;
      nativeBuildInputs = [ toolchain.rust guest-pack ] ++ toolchain.native;
      SANDHILL_NIX = "1";
      configurePhase = ''
        runHook preConfigure
        export HOME="$NIX_BUILD_TOP/home"
        ${cargo.home (cargo.vendor [ (root + "/Cargo.lock") cargo.std ])}
        # Takes out of the lock file what belongs to members that are not here.
        cargo metadata --format-version 1 >/dev/null
        runHook postConfigure
      '';
      buildPhase = ''
        runHook preBuild
        export SANDHILL_GUEST_KEYS=${if guestKeys == null then "$(guest-pack key public --hex ${publicKeyPair})" else lib.concatStringsSep "," guestKeys}
        cargo xtask firmware
        runHook postBuild
      '';
      installPhase = ''
        runHook preInstall
        cp -r target/artefacts/firmware "$out"
        runHook postInstall
      '';
      meta = meta "The firmware as ELF and UF2.${lib.optionalString (guestKeys == null) signedFor}";
    }))
    { };

  # All that ./x builds, by ./x itself, in a folder of that name.
  everything = folder: pkgs.stdenv.mkDerivation (untouched // toolchain.environment // {
    pname = "sandhill";
    inherit version;
    src = sources;
    nativeBuildInputs = lib.concatLists (lib.attrValues toolchain.guest) ++ toolchain.native;
    buildInputs = toolchain.libraries;
    SANDHILL_GUEST_KEY = publicKeyPair;
    unpackPhase = ''
      runHook preUnpack
      mkdir -p "$(dirname ${folder})"
      cp -r --no-preserve=mode "$src" ${folder}
      chmod +x ${folder}/x
      cd ${folder}
      runHook postUnpack
    '';
    configurePhase = ''
      runHook preConfigure
      export HOME="$NIX_BUILD_TOP/home" ZIG_GLOBAL_CACHE_DIR="$NIX_BUILD_TOP/zig"
      ${cargo.home allCrates}
      runHook postConfigure
    '';
    buildPhase = ''
      runHook preBuild
      ./x build
      runHook postBuild
    '';
    installPhase = ''
      runHook preInstall
      cp -r target/artefacts "$out"
      runHook postInstall
    '';
    meta = meta "Firmware and guests, with artifacts.json, which says what they are made of.${signedFor}";
  });

  # What a build or a test of ./x reads. Not docs/, nor the flake.
  sources = fileset.toSource {
    inherit root;
    fileset = fileset.unions (map (path: root + path) [
      "/.cargo"
      "/Cargo.lock"
      "/Cargo.toml"
      "/ci/reproduce"
      "/ci/setup"
      "/guests"
      "/hil"
      "/host"
      "/rust-toolchain.toml"
      "/rustfmt.toml"
      "/wit"
      "/x"
      "/xtask"
    ]);
  };

  lockFiles = [ (root + "/Cargo.lock") (root + "/host/update/fuzz/Cargo.lock") cargo.std ]
    ++ lib.filter lib.pathExists (map (program: root + "/guests/${program}/rust/Cargo.lock") programs);
  allCrates = cargo.vendor lockFiles;
in
{
  inherit everything sources allCrates guests;

  packages = guests // {
    inherit firmware guest-pack hil virtual-bench;
    default = everything "sandhill";
  };
}
