# The packages that the flake may use, by their names in nixpkgs. A name comes in here when it was seen in nixpkgs; docs/src/howto/nix.md
# says where. Versions only of those for which ci/nix/toolchain.nix wants one.
{
  autoPatchelfHook = { };
  cargo-component = { version = "0.21.1"; };
  cargo-deny = { };
  cargo-vet = { };
  deadnix = { };
  git = { };
  gnumake = { };
  libfaketime = { };
  makeWrapper = { };
  mcuboot-imgtool = { };
  mdbook = { };
  nix = { };
  nixpkgs-fmt = { mainProgram = "nixpkgs-fmt"; };
  picotool = { };
  pkg-config = { };
  probe-rs-tools = { };
  shellcheck = { };
  sigrok-cli = { };
  smpmgr = { };
  udev = { };
  unicorn = { };
  wasm-tools = { };
  wit-bindgen = { };
  zig_0_16 = { version = "0.16.0"; };
  zlib = { };
}
