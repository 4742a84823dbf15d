//! What is to be sent: an image file, or a guest of the artefacts by its name. Only what a client has to know of it is read;
//! whether to believe it is the board's business.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use mcumgr_toolkit::mcuboot::{ImageParseError, get_image_info};

use crate::error::Error;

/// Where below the artefacts a guest of this name may be.
const FOLDERS: [&str; 2] = ["guests", "fixtures"];

/// An image to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// What messages call it.
    pub name: String,
    pub bytes: Vec<u8>,
    /// The hash that SMP names it by (TLV 0x10).
    pub hash: Vec<u8>,
    pub version: String,
}

impl Image {
    /// `what` is a file, or a guest's name.
    pub fn load(what: &str, artefacts: &Path) -> Result<Self, Error> {
        let (name, path) = find(what, artefacts)?;
        let bytes = fs::read(&path).map_err(Error::file(&path))?;
        let refuse = |message: &str| Error::NoImage { path: path.clone(), message: message.into() };
        let info = get_image_info(Cursor::new(&bytes)).map_err(|error| match error {
            ImageParseError::UnknownImageType => refuse("this is no guest image"),
            ImageParseError::HashIdMissing => refuse("the image has no hash, so it is not signed"),
            ImageParseError::TlvMissing | ImageParseError::ReadFailed(_) => {
                refuse("the image ends too early, so the file is not whole")
            }
        })?;
        let hash: Vec<u8> = info.hash.into();
        Ok(Self { name, bytes, hash, version: info.version.to_string() })
    }
}

fn find(what: &str, artefacts: &Path) -> Result<(String, PathBuf), Error> {
    let file = Path::new(what);
    if file.is_file() {
        // `guests/blinky-c/guest.img` is blinky-c's.
        let folder = file.parent().and_then(Path::file_name).filter(|_| file.file_name() == Some("guest.img".as_ref()));
        let name = folder.or(file.file_stem()).unwrap_or_default();
        return Ok((name.to_string_lossy().into_owned(), file.into()));
    }
    if what.contains('/') || what.ends_with(".img") {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(Error::File { path: file.into(), source });
    }
    for folder in FOLDERS {
        let path = artefacts.join(folder).join(what).join("guest.img");
        if path.is_file() {
            return Ok((what.into(), path));
        }
    }
    let known = fs::read_dir(artefacts.join(FOLDERS[0])).into_iter().flatten().flatten();
    let mut known: Vec<String> = known.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    known.sort();
    if known.is_empty() {
        return Err(Error::NoArtefacts { folder: artefacts.into(), missing: format!("guests/{what}/guest.img") });
    }
    Err(Error::UnknownGuest { name: what.into(), known })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_files_never_break_the_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.img");
        let whole = crate::update::tests::image(b"payload", 7);
        let mut random = oorandom::Rand32::new(11);
        for round in 0..2_000 {
            let mut damaged = whole.clone();
            damaged.truncate(random.rand_range(0..whole.len() as u32 + 1) as usize);
            for _ in 0..round % 4 {
                if !damaged.is_empty() {
                    let at = random.rand_range(0..damaged.len() as u32) as usize;
                    damaged[at] = random.rand_u32() as u8;
                }
            }
            fs::write(&path, &damaged).unwrap();
            if let Ok(image) = Image::load(&path.display().to_string(), folder.path()) {
                assert_eq!(image.bytes, damaged);
            }
        }
    }
}
