//! A stock client: the crate `mcumgr-toolkit`, with the line in memory where its serial port would be.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use mcumgr_toolkit::MCUmgrClient;
use mcumgr_toolkit::bootloader::BootloaderInfo;
use mcumgr_toolkit::client::image_run_state::{ImageRunState, analyze};
use mcumgr_toolkit::transport::serial::ConfigurableTimeout;
use sandhill_update::smp::Images;

use crate::client::Host;
use crate::fake::{RAM_BYTES, image};

/// A client's end of a line; the other one stays in the test's hands.
pub struct Line<I: Images> {
    host: Arc<Mutex<Host<I>>>,
    sent: VecDeque<u8>,
}

/// A client and the host that it talks to.
pub fn connect<I>(images: I) -> (MCUmgrClient, Arc<Mutex<Host<I>>>)
where
    I: Images<Error: Send> + Send + 'static,
{
    let host = Arc::new(Mutex::new(Host::with(images)));
    let client = MCUmgrClient::new_from_serial(Line { host: host.clone(), sent: VecDeque::new() });
    client.set_retries(0);
    client.use_auto_frame_size().expect("the host says how long a packet may be");
    (client, host)
}

pub fn lock<I: Images>(host: &Mutex<Host<I>>) -> MutexGuard<'_, Host<I>> {
    host.lock().expect("no test panics with it")
}

/// What the client shows, cause by cause.
pub fn shown(error: &dyn Error) -> String {
    let cause = error.source().map(shown).unwrap_or_default();
    format!("{error}\n{cause}")
}

impl<I: Images> Write for Line<I> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent.extend(lock(&self.host).line(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<I: Images> Read for Line<I> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.sent.is_empty() { Err(io::ErrorKind::TimedOut.into()) } else { self.sent.read(bytes) }
    }
}

impl<I: Images> ConfigurableTimeout for Line<I> {
    fn set_timeout(&mut self, _: Duration) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}

#[test]
fn the_host_is_asked_for_everything_it_knows() {
    let (client, host) = connect(crate::fake::Images::new());
    client.check_connection().unwrap();
    let parameters = client.os_mcumgr_parameters().unwrap();
    assert_eq!((parameters.buf_size, parameters.buf_count), (2048, 1));
    assert_eq!(client.os_application_info(Some("sv")).unwrap(), "sandhill 0.2.0 wasmtime 48.0.8");
    assert_eq!(client.os_bootloader_info().unwrap(), BootloaderInfo::MCUboot { mode: 5, no_downgrade: false });

    assert_eq!(client.stats_list_groups().unwrap(), ["host", "guest0", "guest1"]);
    assert_eq!(client.stats_get_group_data("host").unwrap()["heap_size"], 262_144);
    assert_eq!(client.stats_get_group_data("guest0").unwrap().len(), 25);

    assert_eq!(client.settings_read("console/baud").unwrap(), 115_200_u32.to_le_bytes());
    client.settings_write("console/baud", &1_000_000_u32.to_le_bytes()).unwrap();
    assert_eq!(client.settings_read("console/baud").unwrap(), 1_000_000_u32.to_le_bytes());

    let images = client.image_slot_info().unwrap();
    assert_eq!(images.iter().map(|image| image.slots.len()).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(images[2].max_image_size, Some(RAM_BYTES.into()));

    client.os_system_reset(true, None).unwrap();
    assert_eq!(lock(&host).board.resets, 1);
    assert_eq!(lock(&host).server.errors(), 0);
}

#[test]
fn images_are_uploaded_tried_and_erased() {
    let (client, host) = connect(crate::fake::Images::new());
    let new = image(5, 9000);
    for guest in [None, Some(1)] {
        client.image_upload(&new, guest, None, false, None).unwrap();
    }
    assert_eq!(lock(&host).images.slots.each_ref().map(|slots| &slots[1]), [&new, &new]);
    client.image_erase(Some(3)).unwrap();

    let states = client.image_get_state().unwrap();
    assert!(matches!(analyze(&states, 0), ImageRunState::Stable(it) if it.slot == 0));
    let states = client.image_set_state(new.get(..32), false).unwrap();
    assert!(matches!(analyze(&states, 0), ImageRunState::Pending { current: Some(_), next } if next.slot == 1));
    assert!(matches!(analyze(&states, 1), ImageRunState::Stable(it) if it.slot == 0));

    client.image_upload(image(6, 5000), Some(2), None, false, None).unwrap();
    assert_eq!(lock(&host).board.ran, Some(image(6, 5000)));
}

#[test]
fn errors_are_shown_with_their_reason() {
    let (client, _host) = connect(crate::fake::Images::new());
    let refused = client.image_erase(Some(0)).unwrap_err();
    let shown = shown(&refused);
    assert!(shown.contains("MGMT_ERR_EINVAL") && shown.contains("only slot B can be erased"), "{shown}");
    let unknown = client.os_task_statistics().unwrap_err();
    assert!(unknown.command_not_supported());
}
