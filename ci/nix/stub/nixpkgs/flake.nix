# A stand-in for nixpkgs, with which the project's flake is evaluated where the real one cannot be had: xtask/tests/flake.rs.
# Nothing can be built with it.
#
# Promises that it has only what the real one has, under the same names and with the same arguments: what is used and not
# here ends the evaluation. docs/src/howto/nix.md says how each name was looked up.
{
  outputs = _: { lib = import ./lib.nix; };
}
