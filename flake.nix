# The environment, and everything that is built in it. `nix develop` gives every tool in the version that `./x` also sets
# up without Nix; inside it, `./x` uses what is there. `nix build` builds by the code that `./x` runs. docs/src/howto/nix.md says
# how to use it and what of it was checked where.
#
# Promises: inputs are pinned by revision here and by hash in flake.lock; nothing is fetched, and nothing is built, while
# this is evaluated. Leaves what is built, and of which files, to ci/nix.
{
  description = "Sandhill: WebAssembly components on an RP2350, proven on a bench";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/b7c2ada94fe99c15b0dbcf4d11fd7850b957a436";
    rust-overlay = {
      url = "github:oxalica/rust-overlay/fd2ebb9cc4323d0c5a1336138dab5c3c5a5d8bd9";
      inputs.nixpkgs.follows = "nixpkgs";
    };
    # v0.23.4
    crane.url = "github:ipetkov/crane/10e6e3cb966f7cfcc789fe5eee7a85f3188ce08b";
  };

  outputs = { nixpkgs, rust-overlay, crane, ... }:
    let
      # Linux alone. wasi-sdk has releases for macOS, but we know no hash of one; and the bench's tests were never run there.
      systems = [ "x86_64-linux" "aarch64-linux" ];
      outputs = nixpkgs.lib.genAttrs systems (system: import ./ci/nix {
        inherit crane;
        pkgs = import nixpkgs { inherit system; overlays = [ rust-overlay.overlays.default ]; };
      });
      each = kind: nixpkgs.lib.mapAttrs (_: of: of.${kind}) outputs;
    in
    {
      packages = each "packages";
      devShells = each "devShells";
      apps = each "apps";
      checks = each "checks";
      formatter = each "formatter";
    };
}
