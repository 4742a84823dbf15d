# Cargo without a network: crates from a folder that Nix fetched by the hashes in the lock files, and workspaces of only
# those members that a package needs.
#
# Promises that a package's derivation depends on nothing but its own members, and that a crate lies at the same path of
# CARGO_HOME as it would without Nix, so that what is remapped of it (xtask, guest-pack) is the same. Leaves fetching to
# crane.
{ pkgs, craneLib, root }:
let
  inherit (pkgs) lib;
  inherit (lib) fileset;

  workspace = lib.importTOML (root + "/Cargo.toml");

  # With every member that one of those named depends on by path.
  closure = members:
    let
      dependencies = manifest: lib.concatMap lib.attrValues [
        manifest.dependencies or { }
        manifest.dev-dependencies or { }
        manifest.build-dependencies or { }
      ];
      node = folder: { key = toString folder; inherit folder; };
    in
    lib.genericClosure {
      startSet = map (member: node (root + "/${member}")) members;
      operator = { folder, ... }: map (dependency: node (folder + "/${dependency.path}"))
        (lib.filter (dependency: dependency ? path) (dependencies (lib.importTOML (folder + "/Cargo.toml"))));
    };

  names = nodes: map (node: lib.removePrefix "${toString root}/" node.key) nodes;

  # The workspace's manifest without its other members.
  narrowed = members: (pkgs.formats.toml { }).generate "Cargo.toml" (workspace // {
    workspace = workspace.workspace // { inherit members; default-members = members; exclude = [ ]; };
  });
in
{
  inherit craneLib;
  inherit (workspace.workspace.package) version;

  # Sources of members without their tests, and what they need beside them.
  members = { members, beside ? [ ] }:
    let nodes = closure members; in
    {
      src = fileset.toSource {
        inherit root;
        fileset = fileset.unions (beside ++ [ (root + "/Cargo.lock") (root + "/.cargo/config.toml") ]
          ++ map (node: fileset.difference node.folder (fileset.maybeMissing (node.folder + "/tests"))) nodes);
      };
      # The lock file has more packages than are left. Cargo takes out what is not needed (without --locked), and has
      # no other versions than those in it to choose from.
      postPatch = ''
        cp --no-preserve=mode ${narrowed (names nodes)} Cargo.toml
      '';
    };

  # Crates of these lock files, in a folder.
  vendor = locks: craneLib.vendorMultipleCargoDeps { cargoLockList = locks; };

  # core and alloc are built from rust-src, whose lock file lies inside the toolchain: reading it there would take a
  # build while evaluating. So the crates that it names are listed in this repository; xtask/tests/versions.rs says when
  # they no longer are those of the toolchain.
  std = ./std.lock;

  # For a derivation's configurePhase: a CARGO_HOME in which the crates lie where Cargo would have put them.
  home = vendored: ''
    export CARGO_HOME="$NIX_BUILD_TOP/cargo-home" CARGO_NET_OFFLINE=true
    export CARGO_BUILD_JOBS="$NIX_BUILD_CORES" CARGO_INCREMENTAL=0
    crates="$CARGO_HOME/registry/src/index.crates.io-1949cf8c6b5b557f"
    mkdir -p "$(dirname "$crates")"
    # Copied, because a compiler asks where it is and sees through links. crane's config.toml names the folder.
    cp -rL "$(sed -n 's/^directory = "\(.*\)"$/\1/p' ${vendored}/config.toml)" "$crates"
    chmod -R u+w "$crates"
    printf '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "%s"\n' "$crates" >"$CARGO_HOME/config.toml"
  '';
}
