# lib.fileset: a set of files is a function that says of a path whether it is in. As in nixpkgs, a path that does not exist is
# an error, unless it may be missing, and folders without files of the set are not in the source.
let
  inherit (builtins) any attrNames isPath pathExists readDir stringLength substring;

  within = folder: path:
    path == folder || substring 0 (stringLength folder + 1) path == "${folder}/";

  everything = path: { _type = "fileset"; has = within (toString path); };

  coerce = value:
    if isPath value then
      if pathExists value then everything value else throw "lib.fileset: ${toString value} does not exist"
    else if (value._type or null) == "fileset" then value
    else throw "lib.fileset: neither a path nor a file set";

  set = has: { _type = "fileset"; inherit has; };
in
rec {
  unions = list: let sets = map coerce list; in builtins.deepSeq (map (one: one._type) sets) (set (path: any (one: one.has path) sets));
  difference = left: right: set (path: (coerce left).has path && !(coerce right).has path);
  maybeMissing = path: if pathExists path then everything path else set (_: false);

  # `keep` is asked about regular files: { name, type, hasExt }.
  fileFilter = keep: folder:
    let
      all = everything folder;
      ask = path:
        let name = baseNameOf path; in
        keep { inherit name; type = "regular"; hasExt = extension: builtins.match ".+\\.${extension}" name != null; };
    in
    set (path: all.has path && ask path);

  toSource = { root, fileset }:
    let
      inherit (coerce fileset) has;
      hasAny = folder: any
        (name:
          let path = "${folder}/${name}"; in
          if (readDir folder).${name} == "directory" then hasAny path else has path)
        (attrNames (readDir folder));
    in
    {
      outPath = builtins.path {
        name = "source";
        path = root;
        filter = path: type: if type == "directory" then hasAny path else has path;
      };
    };
}
