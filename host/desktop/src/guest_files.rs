//! Where a guest's files are: the component, and the image that says what the guest is called and what it may use.

use std::path::{Path, PathBuf};

use sandhill_runtime::{Policy, PolicyError};
use sandhill_update::Image;

/// As `guest-pack` calls them.
const COMPONENT: &str = "component.wasm";
const IMAGE: &str = "guest.img";

/// Why a guest cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}")]
    Image { path: PathBuf, source: sandhill_update::Error },
    #[error("{path}: {source}")]
    Policy { path: PathBuf, source: PolicyError },
}

/// A guest as it is in its files.
pub struct GuestFiles {
    pub name: String,
    pub component: Vec<u8>,
    /// [`Policy::NONE`] without an image.
    pub policy: Policy,
}

impl GuestFiles {
    /// Reads a guest's folder, or a component with the image beside it, if there is one.
    ///
    /// # Errors
    /// A file cannot be read, or the image is not one.
    pub fn read(guest: &Path) -> Result<Self, Error> {
        let (component_path, image_path) = if guest.is_dir() {
            (guest.join(COMPONENT), guest.join(IMAGE))
        } else {
            (guest.to_owned(), guest.with_file_name(IMAGE))
        };
        let component = read(&component_path)?;
        // A folder is a guest as it was packed, and is complete.
        if !guest.is_dir() && !image_path.exists() {
            let name = guest.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(Self { name, component, policy: Policy::NONE });
        }
        let bytes = read(&image_path)?;
        // Of the image only what it says is used: the component is compiled here. So it has to be whole, not signed.
        let image = Image::undamaged(&bytes).map_err(|source| Error::Image { path: image_path.clone(), source })?;
        let policy = match image.policy() {
            None => Policy::NONE,
            Some(tlv) => Policy::parse(tlv).map_err(|source| Error::Policy { path: image_path, source })?,
        };
        Ok(Self { name: image.name().to_owned(), component, policy })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}
