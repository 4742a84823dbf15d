//! Stock `imgtool`, as `./x setup` installs it, and guest-pack know each other's images and keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::{development_key, guest_pack, refuses, root, succeeds};

fn imgtool(arguments: &[&str], files: &[&Path]) -> Output {
    Command::new("imgtool")
        .args(arguments)
        .args(files)
        .output()
        .expect("imgtool is not in PATH: run ./x setup, and test with ./x test")
}

fn passes(arguments: &[&str], files: &[&Path]) {
    let output = imgtool(arguments, files);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn accepts(key: &Path, image: &Path) -> bool {
    imgtool(&["verify", "-k", key.to_str().unwrap()], &[image]).status.success()
}

/// A guest of the fixtures, packed. Its folder.
fn packed(fixture: &str, folder: &Path, more: &[&str]) -> PathBuf {
    let fixtures = root().join("guests/fixtures");
    let mut command = guest_pack();
    command.args(["image", "--name", fixture, "--policy"]).arg(fixtures.join("policy.toml"));
    command.arg("--out").arg(folder).arg(fixtures.join(format!("{fixture}.wat"))).args(more);
    succeeds(&mut command);
    folder.join(fixture)
}

#[test]
fn imgtool_accepts_ours_and_refuses_what_was_changed() {
    let folder = TempDir::new().unwrap();
    for fixture in ["blinky-400ms", "hung", "recurse"] {
        let image = packed(fixture, folder.path(), &["--version", "3.2.1+9"]).join("guest.img");
        assert!(accepts(&development_key(), &image), "{fixture}");
    }
    let image = folder.path().join("hung/guest.img");
    let sound = fs::read(&image).unwrap();
    let payload = fs::read(folder.path().join("hung/guest.cwasm")).unwrap().len();
    let tlvs = sound.len() - 144;
    // Version, padding, code, counter, policy, needs; hash, signature. imgtool does not look at the key hash.
    let counter = 256 + payload + 8;
    for at in [20, 200, 256 + payload / 2, counter, counter + 20, tlvs - 1, tlvs + 8, tlvs + 80] {
        let mut flipped = sound.clone();
        flipped[at] ^= 0x04;
        fs::write(&image, flipped).unwrap();
        assert!(!accepts(&development_key(), &image), "byte {at}");
    }
}

/// The same key and the same content: not one byte differs.
#[test]
fn imgtool_writes_the_same_bytes() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("key.pem");
    passes(&["keygen", "-t", "ed25519", "-k"], &[&key]);
    let key = key.to_str().unwrap();
    let release = ["--version", "1.2.3+4", "--security-counter", "5"];
    let guest = packed("hung", folder.path(), &[&["--key", key], &release[..]].concat());
    let ours = fs::read(guest.join("guest.img")).unwrap();

    // Values of the TLVs are taken from our image, their types and order from the page about the format.
    let mut at = 256 + fs::read(guest.join("guest.cwasm")).unwrap().len() + 12;
    let mut custom = Vec::new();
    for kind in ["0xA0", "0xA1", "0xA2", "0xA3"] {
        let length = usize::from(u16::from_le_bytes([ours[at + 2], ours[at + 3]]));
        let value: String = ours[at + 4..][..length].iter().map(|byte| format!("{byte:02x}")).collect();
        custom.extend(["--custom-tlv".to_owned(), kind.to_owned(), format!("0x{value}")]);
        at += 4 + length;
    }
    let mut arguments = vec!["sign", "--key", key, "--header-size", "256", "--pad-header", "--slot-size", "262144"];
    arguments.extend(release);
    arguments.extend(custom.iter().map(String::as_str));
    let theirs = folder.path().join("theirs.img");
    let plain = [&arguments[..], &["--erased-val", "0"]].concat();
    passes(&plain, &[&guest.join("guest.cwasm"), &theirs]);
    assert_eq!(fs::read(&theirs).unwrap(), ours);

    // Without --erased-val the header's rest is 0xff: another image, as sound.
    passes(&arguments, &[&guest.join("guest.cwasm"), &theirs]);
    assert_ne!(fs::read(&theirs).unwrap(), ours);
    let told = succeeds(guest_pack().arg("verify").arg(&theirs).args(["--key", key]));
    assert!(told.contains("version     1.2.3+4\ncounter     5\n") && told.ends_with("sound\n"), "{told}");
    // And one that was signed without a counter gets one from `guest-pack sign`.
    let without: Vec<_> = plain.iter().copied().filter(|word| !["--security-counter", "5"].contains(word)).collect();
    passes(&without, &[&guest.join("guest.cwasm"), &theirs]);
    let told = refuses(guest_pack().arg("verify").arg(&theirs).args(["--key", key]));
    assert!(told.contains("no security counter"), "{told}");
    succeeds(guest_pack().arg("sign").arg(&theirs).args(["--key", key, "--security-counter", "5", "-o"]).arg(&theirs));
    assert_eq!(fs::read(&theirs).unwrap(), ours);
}

#[test]
fn imgtool_knows_our_keys() {
    let folder = TempDir::new().unwrap();
    let [key, public, theirs, hash] = ["key", "public", "theirs", "hash"].map(|name| folder.path().join(name));
    succeeds(guest_pack().args(["key", "generate"]).arg(&key));
    fs::write(&public, succeeds(guest_pack().args(["key", "public"]).arg(&key))).unwrap();
    let key_argument = key.to_str().unwrap();
    passes(&["getpub", "-k", key_argument, "-e", "pem", "-o"], &[&theirs]);
    assert_eq!(fs::read_to_string(&theirs).unwrap(), fs::read_to_string(&public).unwrap());
    passes(&["getpubhash", "-k", key_argument, "-e", "raw", "-o"], &[&hash]);
    let hash: String = fs::read(&hash).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    let shown = succeeds(guest_pack().args(["key", "show"]).arg(&key));
    assert!(shown.contains(&format!("key hash    {hash}\n")), "{shown}");

    let image = packed("hung", folder.path(), &["--key", key_argument]).join("guest.img");
    assert!(accepts(&key, &image));
    assert!(accepts(&public, &image), "the public key is enough");
    assert!(!accepts(&development_key(), &image));
}
