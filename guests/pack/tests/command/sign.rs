//! Keys, and what is signed with them: `guest-pack key`, `sign`, `verify`, and the options of `image`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{development_key, guest_pack, refuses, root, succeeds};

/// RFC 8032, section 7.1, TEST 1: secret key, public key.
const SECRET: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5,
    0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
/// RFC 8410, section 10.3: the longer form of a private key, with attributes and the public key in it.
const LONG_FORM: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";
const LONG_FORM_PUBLIC: &str = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

fn generate(file: &Path) -> String {
    succeeds(guest_pack().args(["key", "generate"]).arg(file))
}

fn public_hex(file: &Path) -> String {
    succeeds(guest_pack().args(["key", "public", "--hex"]).arg(file)).trim().to_owned()
}

/// `guest-pack image` of a sound guest into the folder, under the name.
fn image(name: &str, folder: &Path) -> Command {
    let mut command = guest_pack();
    command.args(["image", "--world", "blinky", "--name", name, "--out"]).arg(folder);
    command.arg(root().join("guests/fixtures/blinky-400ms.wat"));
    command
}

fn packed(name: &str, folder: &Path, more: &[&str]) -> PathBuf {
    succeeds(image(name, folder).args(more));
    folder.join(name).join("guest.img")
}

fn verify(image: &Path, keys: &[&Path]) -> Command {
    let mut command = guest_pack();
    command.arg("verify").arg(image);
    for key in keys {
        command.arg("--key").arg(key);
    }
    command
}

#[test]
fn a_key_is_made_once_and_for_its_owner() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("key.pem");
    let shown = generate(&key);
    let pem = fs::read_to_string(&key).unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{pem}");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    assert_eq!(succeeds(guest_pack().args(["key", "show"]).arg(&key)), shown);
    assert!(shown.contains(&format!("public key  {}\n", public_hex(&key))), "{shown}");

    let message = refuses(guest_pack().args(["key", "generate"]).arg(&key));
    assert!(message.contains("never overwritten"), "{message}");
    assert_eq!(fs::read_to_string(&key).unwrap(), pem);
    let other = folder.path().join("other.pem");
    generate(&other);
    assert_ne!(public_hex(&other), public_hex(&key));
}

#[test]
fn keys_are_those_of_the_standard() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key.pem");
    // RFC 8410: a fixed head, then the 32 bytes.
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let base64 = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
    assert_eq!(decode(base64), [&head[..], &SECRET].concat());
    fs::write(&file, format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n")).unwrap();
    assert_eq!(public_hex(&file), PUBLIC);
    fs::write(&file, LONG_FORM).unwrap();
    assert_eq!(public_hex(&file), LONG_FORM_PUBLIC);

    let public = folder.path().join("public.pem");
    fs::write(&public, succeeds(guest_pack().args(["key", "public"]).arg(&file))).unwrap();
    assert_eq!(public_hex(&public), LONG_FORM_PUBLIC, "a public key is shown as well");
}

fn decode(base64: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |digit: u8| u32::try_from(DIGITS.iter().position(|known| *known == digit).unwrap()).unwrap();
    let group = |four: &[u8]| four.iter().fold(0, |sum, digit| sum << 6 | value(*digit));
    base64.as_bytes().chunks(4).flat_map(|four| group(four).to_be_bytes()[1..].to_vec()).collect()
}

#[test]
fn the_development_key_is_made_when_it_is_needed_and_stays() {
    let home = TempDir::new().unwrap();
    let key = home.path().join(".config/sandhill/guest-key.pem");
    let pack = || {
        let mut command = image("guest", home.path());
        command.env_remove("XDG_CONFIG_HOME").env("HOME", home.path());
        let output = command.output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = pack();
    assert!(said.contains(&format!("made the development key {}", key.display())), "{said}");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let (pem, first) = (fs::read(&key).unwrap(), fs::read(home.path().join("guest/guest.img")).unwrap());
    assert_eq!(pack(), "", "and not a second time");
    assert_eq!(fs::read(&key).unwrap(), pem);
    assert_eq!(fs::read(home.path().join("guest/guest.img")).unwrap(), first, "the same bytes");
    succeeds(&mut verify(&home.path().join("guest/guest.img"), &[&key]));

    let message = refuses(image("guest", home.path()).env("XDG_CONFIG_HOME", "/proc/nowhere"));
    assert!(message.contains("cannot write /proc/nowhere/sandhill"), "{message}");
}

/// As of two builds that start on a new machine.
#[test]
fn who_needs_the_first_key_at_the_same_time_gets_the_same() {
    for _ in 0..5 {
        let config = TempDir::new().unwrap();
        let start = || {
            let mut command = guest_pack();
            command.args(["key", "public", "--hex"]).env("XDG_CONFIG_HOME", config.path());
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        };
        let started: Vec<_> = (0..6).map(|_| start()).collect();
        let outputs: Vec<_> = started.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
        assert!(outputs.iter().all(|output| output.stdout == outputs[0].stdout), "{outputs:?}");
        let made = outputs.iter().filter(|output| !output.stderr.is_empty()).count();
        assert_eq!(made, 1, "one says that it made it");
        assert_eq!(fs::read_dir(config.path().join("sandhill")).unwrap().count(), 1, "nothing else is left");
    }
}

#[test]
fn the_option_comes_before_the_environment_before_the_development_key() {
    let folder = TempDir::new().unwrap();
    let [a, b] = ["a.pem", "b.pem"].map(|name| folder.path().join(name));
    generate(&a);
    generate(&b);
    let signed_with = |variable: Option<&Path>, option: &[&Path]| {
        let mut command = image("guest", folder.path());
        command.envs(variable.map(|key| ("SANDHILL_GUEST_KEY", key)));
        command.args(option.iter().flat_map(|key| [Path::new("--key"), key]));
        succeeds(&mut command);
        let image = folder.path().join("guest/guest.img");
        [&a, &b, &development_key()].map(|key| verify(&image, &[key]).output().unwrap().status.success())
    };
    assert_eq!(signed_with(None, &[]), [false, false, true]);
    assert_eq!(signed_with(Some(Path::new("")), &[]), [false, false, true], "set to nothing is not set");
    assert_eq!(signed_with(Some(&a), &[]), [true, false, false]);
    assert_eq!(signed_with(Some(&a), &[&b]), [false, true, false]);
    let manifest = fs::read_to_string(folder.path().join("guest/manifest.json")).unwrap();
    assert!(manifest.contains(&format!("\"public_key\": \"{}\"", public_hex(&b))), "{manifest}");
    // A key that is named is never made.
    let missing = folder.path().join("missing.pem");
    let message = refuses(image("guest", folder.path()).env("SANDHILL_GUEST_KEY", &missing));
    assert!(message.contains("cannot read") && message.contains("missing.pem"), "{message}");
    assert!(!missing.exists());
}

#[test]
fn what_is_no_key_is_refused_with_what_to_do() {
    let folder = TempDir::new().unwrap();
    let (file, key) = (folder.path().join("bad.pem"), folder.path().join("key.pem"));
    generate(&key);
    let public = succeeds(guest_pack().args(["key", "public"]).arg(&key));
    let pem = fs::read_to_string(&key).unwrap();
    let rsa = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----\n";
    for (content, told) in [
        (public.as_str(), "a public one"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "openssl pkey"),
        (&pem[..pem.len() / 2], "imgtool keygen"),
        (&pem.replace('M', "N"), "imgtool keygen"),
        (rsa, "imgtool keygen"),
        ("", "guest-pack key generate"),
        ("\0\u{7f}", "guest-pack key generate"),
    ] {
        fs::write(&file, content).unwrap();
        let message = refuses(image("guest", folder.path()).arg("--key").arg(&file));
        assert!(message.contains("bad.pem") && message.contains(told), "{content}: {message}");
    }
    assert!(!folder.path().join("guest").exists());
}

#[test]
fn version_and_counter_are_the_command_lines() {
    let folder = TempDir::new().unwrap();
    let image_of = |more: &[&str]| fs::read(packed("guest", folder.path(), more)).unwrap();
    let plain = image_of(&[]);
    let image_file = image_of(&["--version", "1.2.772+50595078", "--security-counter", "4294967295"]);
    assert_eq!(image_file[20..28], [1, 2, 4, 3, 6, 5, 4, 3]);
    let area = 256 + fs::read(folder.path().join("guest/guest.cwasm")).unwrap().len();
    assert_eq!(image_file[area + 4..area + 12], [0x50, 0, 4, 0, 255, 255, 255, 255]);
    let manifest = fs::read_to_string(folder.path().join("guest/manifest.json")).unwrap();
    assert!(manifest.contains("\"version\": \"1.2.772+50595078\""), "{manifest}");
    assert!(manifest.contains("\"security_counter\": 4294967295"), "{manifest}");
    assert_eq!(plain.len(), image_file.len());

    for wrong in
        ["1.2", "1.2.3.4", "256.0.0", "1.2.65536", "1.2.3+4294967296", "1.2.3+", "+1.2.3", "1.2.-3", "v1.2.3", ""]
    {
        let output = image("guest", folder.path()).arg(format!("--version={wrong}")).output().unwrap();
        assert!(!output.status.success(), "{wrong}");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(message.contains("1.2.3+4"), "{wrong}: {message}");
    }
}

#[test]
fn an_image_is_signed_again() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("release.pem");
    generate(&key);
    let original = packed("guest", folder.path(), &["--version", "1.0.0", "--security-counter", "3"]);
    let sign = |image: &Path, out: &Path, more: &[&str]| {
        succeeds(guest_pack().arg("sign").arg(image).arg("--key").arg(&key).arg("-o").arg(out).args(more))
    };
    let out = folder.path().join("signed.img");
    let shown = sign(&original, &out, &[]);
    assert!(shown.contains("version     1.0.0+0\ncounter     3\n"), "{shown}");
    let key_argument = key.to_str().unwrap();
    let same = packed(
        "guest",
        &folder.path().join("same"),
        &["--version", "1.0.0", "--security-counter", "3", "--key", key_argument],
    );
    assert_eq!(fs::read(&out).unwrap(), fs::read(same).unwrap(), "as if it had been packed with that key");
    assert!(refuses(&mut verify(&out, &[])).contains("signed with another key"), "no longer the development key's");
    succeeds(&mut verify(&out, &[&key]));

    sign(&original, &out, &["--version", "2.0.1+7", "--security-counter", "4"]);
    let same = packed(
        "guest",
        &folder.path().join("same"),
        &["--version", "2.0.1+7", "--security-counter", "4", "--key", key_argument],
    );
    assert_eq!(fs::read(&out).unwrap(), fs::read(same).unwrap());

    // In place, and what stands behind an image in a slot is left behind.
    let mut dump = fs::read(&original).unwrap();
    dump.resize(262_144, 0xff);
    fs::write(&out, &dump).unwrap();
    succeeds(&mut verify(&out, &[]));
    sign(&out, &out, &[]);
    assert_eq!(fs::read(&out).unwrap().len(), fs::read(&original).unwrap().len());
}

#[test]
fn a_damaged_image_is_not_signed() {
    let folder = TempDir::new().unwrap();
    let image = packed("guest", folder.path(), &[]);
    let mut bytes = fs::read(&image).unwrap();
    bytes[300] ^= 1;
    fs::write(&image, bytes).unwrap();
    let out = folder.path().join("out.img");
    let message = refuses(guest_pack().arg("sign").arg(&image).arg("-o").arg(&out));
    assert!(message.contains("guest.img: its SHA-256 differs"), "{message}");
    assert!(!out.exists());
    let text = root().join("guests/fixtures/trap.wat");
    let message = refuses(guest_pack().arg("sign").arg(&text).arg("-o").arg(&out));
    assert!(message.contains("magic number") && message.contains("guest-pack image"), "{message}");
}

#[test]
fn verify_takes_any_of_the_keys_and_says_what_it_saw() {
    let folder = TempDir::new().unwrap();
    let [a, b] = ["a.pem", "b.pem"].map(|name| folder.path().join(name));
    generate(&a);
    generate(&b);
    let public = folder.path().join("public.pem");
    fs::write(&public, succeeds(guest_pack().args(["key", "public"]).arg(&b))).unwrap();
    let image = packed("guest", folder.path(), &["--key", b.to_str().unwrap()]);
    let told = succeeds(&mut verify(&image, &[&a, &public]));
    for part in
        ["name        guest\n", "version     0.2.0+0\n", "needs       embedded:platform/blinky@0.2.0 gpio timing\n"]
    {
        assert!(told.contains(part), "{told}");
    }
    assert!(told.ends_with("\nsound\n"), "{told}");
    assert!(refuses(&mut verify(&image, &[&a])).contains("signed with another key"));
    // Nobody's first key is made for the sake of a look.
    let config = folder.path().join("config");
    let message = refuses(verify(&image, &[]).env("XDG_CONFIG_HOME", &config));
    assert!(message.contains("guest-key.pem") && !config.exists(), "{message}");
}
