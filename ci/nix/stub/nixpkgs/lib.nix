# The functions of nixpkgs' lib that the flake uses, written anew from their documentation, and as strict as they are.
let
  inherit (builtins) attrNames attrValues concatStringsSep elem foldl' head listToAttrs replaceStrings stringLength substring;

  concatStrings = concatStringsSep "";
  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  throwIf = condition: message: value: if condition then throw message else value;
in
{
  inherit (builtins) attrNames attrValues concatLists concatMap concatStringsSep elem filter foldl' genericClosure listToAttrs mapAttrs pathExists readFile;
  inherit concatStrings hasPrefix throwIf;

  fileset = import ./fileset.nix;

  concatMapStrings = f: list: concatStrings (map f list);
  escapeShellArg = text: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";
  filterAttrs = keep: set: listToAttrs (builtins.filter ({ name, value }: keep name value)
    (map (name: { inherit name; value = set.${name}; }) (attrNames set)));
  genAttrs = names: f: listToAttrs (map (name: { inherit name; value = f name; }) names);
  getExe = package: "${package}/bin/${package.meta.mainProgram or (throw "${package.name} has no meta.mainProgram")}";
  importTOML = path: builtins.fromTOML (builtins.readFile path);
  makeBinPath = packages: concatStringsSep ":" (map (package: "${package}/bin") packages);
  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
  nameValuePair = name: value: { inherit name value; };
  optionalAttrs = condition: set: if condition then set else { };
  optionalString = condition: text: if condition then text else "";
  removePrefix = prefix: text:
    if hasPrefix prefix text then substring (stringLength prefix) (stringLength text) text else text;
  subtractLists = unwanted: builtins.filter (item: !elem item unwanted);
  unique = foldl' (seen: item: if elem item seen then seen else seen ++ [ item ]) [ ];

  # `passthru` of what is made: the same with other arguments.
  makeOverridable = f: arguments: f arguments // {
    override = other: (import ./lib.nix).makeOverridable f (arguments // other);
  };

  versions.major = version: head (builtins.splitVersion version);

  licenses = { asl20 = { spdxId = "Apache-2.0"; }; mit = { spdxId = "MIT"; }; };
  platforms.linux = [ "x86_64-linux" "aarch64-linux" ];
  sourceTypes.binaryNativeCode = { isSource = false; };
}
