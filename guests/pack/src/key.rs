//! Keys that images are signed with: Ed25519, in PEM as `imgtool keygen -t ed25519` writes them.
//!
//! Promises that a key is never overwritten, is readable by its owner only from its first byte on, and that processes
//! which make the development key at the same time agree on one.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Names the file to sign with.
pub const VARIABLE: &str = "SANDHILL_GUEST_KEY";

/// A private key.
pub struct Key(SigningKey);

impl Key {
    /// A fixed key. For tests: everybody knows it.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// Reads a PEM file.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::BadKey`].
    pub fn read(path: &Path) -> Result<Self> {
        let text = text(path)?;
        let bad = |reason| Error::BadKey { path: path.to_owned(), reason };
        SigningKey::from_pkcs8_pem(&text).map(Self).map_err(|_| bad(wrong_with(&text)))
    }

    /// Makes a new one, in a file that is not there yet.
    ///
    /// # Errors
    /// [`Error::KeyExists`], [`Error::Write`], [`Error::NoRandomness`].
    pub fn generate(path: &Path) -> Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(no_randomness)?;
        let key = Self::from_seed(seed);
        if !key.create(path)? {
            return Err(Error::KeyExists { path: path.to_owned() });
        }
        Ok(key)
    }

    /// Writes it to `path` in one step. False: there is a file already, and it stays.
    fn create(&self, path: &Path) -> Result<bool> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        // Whole before it has its name, which a link gives only where nothing has it.
        let mut partial = path.as_os_str().to_owned();
        partial.push(format!(".{:016x}.partial", getrandom::u64().map_err(no_randomness)?));
        let partial = PathBuf::from(partial);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).map_err(failed)?;
        let written = file.write_all(self.to_pem().as_bytes()).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| fs::hard_link(&partial, path));
        fs::remove_file(&partial).map_err(failed)?;
        match linked {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// PKCS#8 without the public key, as imgtool has it: not every reader knows the longer form.
    fn to_pem(&self) -> String {
        let pair = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let pem = pair.to_pkcs8_pem(LineEnding::LF).expect("a key of 32 bytes has an encoding");
        pem.as_str().to_owned()
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The same bytes every time.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

/// What a host knows of a key.
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads a PEM file with a public or a private key.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::BadKey`].
    pub fn read(path: &Path) -> Result<Self> {
        match VerifyingKey::from_public_key_pem(&text(path)?) {
            Ok(key) => Ok(Self(key)),
            Err(_) => Key::read(path).map(|key| key.public()),
        }
    }

    /// As the firmware's build takes it: 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        crate::hex(self.0.as_bytes())
    }

    /// SubjectPublicKeyInfo in PEM.
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("a key of 32 bytes has an encoding")
    }

    /// TLV 0x01: the SHA-256 of SubjectPublicKeyInfo in DER.
    pub fn hash(&self) -> [u8; 32] {
        let der = self.0.to_public_key_der().expect("a key of 32 bytes has an encoding");
        Sha256::digest(der.as_bytes()).into()
    }

    /// The same in hexadecimal digits.
    pub fn hash_hex(&self) -> String {
        crate::hex(&self.hash())
    }

    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

/// The file to sign with: the one given, or the environment's, or the development key's, which need not exist yet.
///
/// # Errors
/// [`Error::NoKeyFolder`].
pub fn path(given: Option<&Path>) -> Result<PathBuf> {
    let named = || std::env::var_os(VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
    given.map(Path::to_owned).or_else(named).map_or_else(development_path, Ok)
}

/// `$XDG_CONFIG_HOME/sandhill/guest-key.pem`, after the XDG base directory specification.
fn development_path() -> Result<PathBuf> {
    let set = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let config = set.or_else(|| std::env::home_dir().map(|home| home.join(".config")));
    config
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("sandhill/guest-key.pem"))
        .ok_or(Error::NoKeyFolder)
}

/// The key to sign with. The development key is made the first time that it is asked for.
///
/// # Errors
/// Those of [`path`] and [`Key::read`], and those of [`Key::generate`] but [`Error::KeyExists`].
pub fn to_sign_with(given: Option<&Path>) -> Result<Key> {
    let path = path(given)?;
    if given.is_none() && Some(&path) == development_path().ok().as_ref() && !path.exists() {
        let folder = path.parent().unwrap_or(Path::new("."));
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        match Key::generate(&path) {
            Ok(_) => eprintln!(
                "guest-pack: made the development key {}: who has it can sign for every board that trusts it",
                path.display()
            ),
            // Somebody was faster: theirs is the key.
            Err(Error::KeyExists { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Key::read(&path)
}

fn no_randomness(error: getrandom::Error) -> Error {
    Error::NoRandomness { reason: error.to_string() }
}

fn text(path: &Path) -> Result<String> {
    Ok(String::from_utf8_lossy(&crate::read(path)?).into_owned())
}

/// Why a PEM file is no key to sign with.
fn wrong_with(text: &str) -> &'static str {
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") {
        "it is encrypted; `openssl pkey -in FILE -out PLAIN` takes the password off"
    } else if text.contains("BEGIN PUBLIC KEY") {
        "it is no Ed25519 private key, but a public one: name the private key that goes with it"
    } else {
        "it is no Ed25519 private key in PEM: make one with `guest-pack key generate` or `imgtool keygen -t ed25519`"
    }
}
