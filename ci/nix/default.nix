# The flake's outputs for one system, from nixpkgs with rust-overlay in it, and crane.
{ pkgs, crane }:
let
  inherit (pkgs) lib;
  root = ../..;
  toolchain = import ./toolchain.nix { inherit pkgs; };
  cargo = import ./cargo.nix { inherit pkgs root; craneLib = (crane.mkLib pkgs).overrideToolchain toolchain.rust; };
  packages = import ./packages.nix { inherit pkgs root toolchain cargo; };
  app = description: program: { type = "app"; inherit program; meta = { inherit description; }; };
in
{
  inherit (packages) packages;

  devShells.default = pkgs.mkShell ({ packages = toolchain.all; } // toolchain.environment);

  apps = rec {
    hil = app "The runner: `nix run .#hil -- run --artefacts FOLDER`" (lib.getExe packages.packages.hil);
    default = hil;
  };

  checks = import ./checks.nix { inherit pkgs root toolchain cargo packages; };

  formatter = pkgs.nixpkgs-fmt;
}
