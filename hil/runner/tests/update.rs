//! Updates the whole way, through the doors that users have: `hil update`, stock smpmgr, and the library mcumgr-toolkit, each
//! over the serial port of a virtual bench that runs the firmware as built.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use mcumgr_toolkit::{
    MCUmgrClient,
    client::{FirmwareUpdateParams, MCUmgrClientError},
    commands::image::ImageState,
    connection::ExecuteError,
    smp_errors::DeviceError,
};
use serialport::SerialPort;

#[path = "common/live.rs"]
mod live;
use live::{Live, built};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn image(guest: &str) -> PathBuf {
    built(guest).join("guest.img")
}

fn bytes(guest: &str) -> Vec<u8> {
    fs::read(image(guest)).expect("the guest is built")
}

/// The hash that SMP names an image by, in the image's TLV area as `imgtool` writes it: the first of its TLVs.
fn hash(guest: &str) -> Vec<u8> {
    let file = fs::File::open(image(guest)).expect("the guest is built");
    mcumgr_toolkit::mcuboot::get_image_info(file).expect("an image").hash.into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn blinky_c() -> Live {
    Live::start(&built(""), &bytes("guests/blinky-c"))
}

/// The terminal is opened exclusively. A program that another test starts has it for a moment, too, until it is itself.
fn open(live: &Live, baud: u32) -> Box<dyn SerialPort> {
    let since = Instant::now();
    loop {
        match serialport::new(&live.pty, baud).timeout(Duration::from_secs(5)).open() {
            Ok(port) => return port,
            Err(error) => assert!(since.elapsed() < Duration::from_secs(5), "{error}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn client(live: &Live, baud: u32) -> MCUmgrClient {
    let port = open(live, baud);
    let client = MCUmgrClient::new_from_serial(port);
    client.set_retries(1);
    // The board may still be booting.
    let since = Instant::now();
    while client.check_connection().is_err() {
        assert!(since.elapsed() < Duration::from_secs(30), "the board does not answer");
    }
    client.use_auto_frame_size().expect("it has parameters");
    client
}

/// What runs as guest 0: its hash, and whether it is confirmed.
fn active(images: &[ImageState]) -> (Vec<u8>, bool) {
    let active = images.iter().find(|state| state.image == 0 && state.active).expect("something runs");
    (active.hash.clone().expect("it has a hash"), active.confirmed)
}

fn wait_for(client: &MCUmgrClient, ready: impl Fn(&[ImageState]) -> bool) -> Vec<ImageState> {
    let since = Instant::now();
    loop {
        match client.image_get_state() {
            Ok(images) if ready(&images) => return images,
            last => assert!(since.elapsed() < Duration::from_secs(30), "it does not come to that: {last:?}"),
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn update(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hil")).arg("update").args(arguments).output().expect("hil starts")
}

fn artefacts() -> String {
    built("").display().to_string()
}

#[test]
fn one_command_shows_the_whole_way_on_the_default_bench() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let out = out.path().display().to_string();
    for arguments in
        [&["install", "blinky-rust"][..], &["install", "blinky-zig", "--from", "blinky-rust", "--baud", "1000000"]]
    {
        let output = update(&[arguments, &["--artefacts", &artefacts(), "--out", &out]].concat());
        let text = text(&output);
        assert_eq!(output.status.code(), Some(0), "{text}");
        let (from, to) = if arguments[1] == "blinky-rust" { ("blinky-c", "rust") } else { ("blinky-rust", "zig") };
        for part in [
            format!("{from} while blinky-{to} was uploaded: GPIO25 passed"),
            format!("blinky-{to} afterwards: GPIO25 passed"),
        ] {
            assert!(text.contains(&part), "{part:?} is not in {text}");
        }
        assert!(text.contains(&hex(&hash(&format!("guests/blinky-{to}")))), "{text}");
        assert!(text.contains("active, confirmed"), "{text}");
    }
}

/// `hil update` with this board.
fn ask(live: &Live, arguments: &[&str]) -> Output {
    update(&[arguments, &["--port", &live.pty]].concat())
}

#[track_caller]
fn done(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(output));
    text(output)
}

/// A vital of the host, or of guest 0.
fn vital(vitals: &str, name: &str) -> Option<u32> {
    let line = vitals.lines().find(|line| line.split_whitespace().any(|word| word == name));
    line.unwrap_or_else(|| panic!("no {name} in {vitals}")).split_whitespace().find_map(|word| word.parse().ok())
}

#[test]
fn a_guest_runs_from_ram_without_a_flash_write_and_a_reset_forgets_it() {
    let live = blinky_c();
    drop(client(&live, 115_200));
    // The first boot has told the journal of the image that came through the probe.
    done(&ask(&live, &["reset"]));
    let run = done(&ask(&live, &["run", "blinky-rust", "--artefacts", &artefacts()]));
    assert!(run.contains("update: ram: blinky-rust"), "{run}");
    let vitals = done(&ask(&live, &["vitals"]));
    for (name, value) in [("slot", 2), ("state", 1), ("flash_erases", 0), ("flash_programs", 0)] {
        assert_eq!(vital(&vitals, name), Some(value), "{name}: {vitals}");
    }
    let verdict = live.watch_led(Duration::from_secs(4), || ());
    assert!(verdict.passed, "{verdict:#?}");
    // One that misbehaves stops there; nothing of it stays.
    let trap = ask(&live, &["run", "trap", "--artefacts", &artefacts()]);
    assert_eq!(trap.status.code(), Some(1), "{}", text(&trap));
    live.says("slot 0: trap: stopped after 3 failures, its pins are safe");
    done(&ask(&live, &["reset"]));
    let images = client(&live, 115_200).image_get_state().expect("it answers");
    assert_eq!(active(&images), (hash("guests/blinky-c"), true));
    assert_eq!(vital(&done(&ask(&live, &["vitals"])), "slot"), Some(0));
}

#[test]
fn a_guest_that_fails_on_trial_is_exit_code_1_and_the_one_before_goes_on() {
    let live = blinky_c();
    drop(client(&live, 115_200));
    for (guest, why, end) in [
        ("trap", "stopped after 3 failures", "the image on trial does not stay alive"),
        // Signed and well formed: only what is inside is no good.
        ("bad-policy", "slot 0: refused: policy of version 2", "the image on trial does not stay alive"),
        ("foreign-cwasm", "slot 0: refused: ", "the image on trial does not stay alive"),
    ] {
        let output = ask(&live, &["install", guest, "--trial", "10s", "--artefacts", &artefacts()]);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        for part in [why, &format!("update: guest 0: reverted to slot A: {end}"), "FAILED: it does not run"] {
            assert!(text.contains(part), "{guest}: {part:?} is not in {text}");
        }
        let images = client(&live, 115_200).image_get_state().expect("it answers");
        assert_eq!(active(&images), (hash("guests/blinky-c"), true), "{guest}");
    }
    // One that nobody confirms lasts until the next reset.
    let left = done(&ask(&live, &["install", "blinky-rust", "--no-confirm", "--artefacts", &artefacts()]));
    assert!(left.contains("active, on trial"), "{left}");
    done(&ask(&live, &["reset"]));
    live.says("update: guest 0: reverted to slot A: there was a reset before a confirmation");
    let images = client(&live, 115_200).image_get_state().expect("it answers");
    assert_eq!(active(&images), (hash("guests/blinky-c"), true));
}

/// Stock smpmgr, at this rate. What it prints, which has to be no error.
#[track_caller]
fn smpmgr(live: &Live, baud: u32, arguments: &[&str]) -> String {
    let output = Command::new("smpmgr")
        .args(["--timeout", "8", "--port", &live.pty, "--baudrate", &baud.to_string()])
        .args(arguments)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "200")
        .output()
        .expect("smpmgr is installed by `./x setup`");
    let text = text(&output);
    // It prints what the board refuses, and is content.
    let refused = ["rc=", "Error", "timeout"].iter().any(|word| text.contains(word));
    assert!(output.status.success() && !refused, "{arguments:?}: {text}");
    text
}

#[test]
fn stock_smpmgr_does_it_all_at_both_rates() {
    let live = blinky_c();
    drop(client(&live, 115_200));
    let (old, new) = (hash("guests/blinky-c"), hash("guests/blinky-rust"));
    let file = |guest: &str| image(guest).display().to_string();
    let mcu = |arguments: &[&str]| smpmgr(&live, 115_200, arguments);
    assert!(mcu(&["os", "echo", "hello"]).contains("hello"));
    assert!(mcu(&["image", "state-read"]).to_lowercase().contains(&hex(&old)));
    mcu(&["image", "upload", &file("guests/blinky-rust")]);
    mcu(&["image", "state-write", &hex(&new)]);
    mcu(&["os", "reset"]);
    wait_for(&client(&live, 115_200), |images| active(images) == (new.clone(), false));
    mcu(&["image", "state-write", "--confirm"]);
    let states = mcu(&["image", "state-read"]).to_lowercase();
    assert!(states.contains(&hex(&old)) && states.contains(&hex(&new)), "{states}");
    assert_eq!(active(&client(&live, 115_200).image_get_state().expect("it answers")), (new.clone(), true));
    mcu(&["image", "erase", "1"]);
    let images = client(&live, 115_200).image_get_state().expect("it answers");
    assert!(images.iter().all(|state| state.active), "{images:?}");

    // The same at once, and faster. smpmgr marks nothing for a test on its own if no slot is named; with `--confirm` it does.
    done(&ask(&live, &["baud", "1000000"]));
    smpmgr(&live, 1_000_000, &["upgrade", "--confirm", &file("guests/blinky-zig")]);
    wait_for(&client(&live, 115_200), |images| active(images) == (hash("guests/blinky-zig"), true));
    // What it calls a slot is the guest.
    mcu(&["upgrade", "--slot", "1", &file("guests/servo-c")]);
    wait_for(&client(&live, 115_200), |images| {
        images.iter().any(|state| state.image == 1 && state.active && state.hash == Some(hash("guests/servo-c")))
    });
    live.says("slot 1: servo-c: running, 3588 bytes");
}

#[test]
fn the_librarys_own_update_works_at_both_rates() {
    let live = blinky_c();
    for (guest, baud) in [("guests/blinky-rust", 115_200_u32), ("guests/blinky-zig", 1_000_000)] {
        let client = client(&live, 115_200);
        client.settings_write("console/baud", &baud.to_le_bytes()).expect("it takes the rate");
        drop(client);
        // The rate of a pseudo-terminal means nothing; the chip's does.
        let client = self::client(&live, baud);
        assert_eq!(client.settings_read("console/baud").expect("it says its rate"), baud.to_le_bytes());
        let params = FirmwareUpdateParams { skip_reboot: true, ..FirmwareUpdateParams::default() };
        client.firmware_update(bytes(guest), None, params, None).expect("it is updated");
        client.os_system_reset(false, None).expect("it resets");
        wait_for(&client, |images| active(images).0 == hash(guest));
        client.image_set_state(None, true).expect("it is confirmed");
        assert_eq!(active(&client.image_get_state().expect("it answers")), (hash(guest), true));
    }
}

#[test]
fn an_upload_that_was_cut_off_goes_on_where_it_ended() {
    let live = blinky_c();
    let image = bytes("guests/blinky-rust");
    let first = client(&live, 115_200);
    let mut seen = 0;
    let half = image.len() as u64 / 2;
    let mut stop = |done: u64, _: u64| {
        seen = done;
        done < half
    };
    let cut = first.image_upload(&image, Some(0), None, false, Some(&mut stop));
    assert!(matches!(cut, Err(MCUmgrClientError::ProgressCallbackError)), "{cut:?}");
    drop(first);
    // The cable came out in the middle of a line.
    let mut line = open(&live, 115_200);
    line.write_all(b"\x06\x09AAECAwQFBgcI").and_then(|()| line.flush()).expect("it is sent");
    drop(line);
    let second = client(&live, 115_200);
    let mut offsets = Vec::new();
    let mut note = |done: u64, _: u64| {
        offsets.push(done);
        true
    };
    second.image_upload(&image, Some(0), None, false, Some(&mut note)).expect("it is resumed");
    assert!(offsets[0] >= seen, "it begins at {} and not at {seen}", offsets[0]);
    let images = second.image_get_state().expect("it answers");
    let whole = |state: &ImageState| state.hash == Some(hash("guests/blinky-rust")) && state.bootable && !state.active;
    assert!(images.iter().any(whole), "{images:?}");
}

/// Uploads it, and returns the reason why that is refused.
#[track_caller]
fn refused(client: &MCUmgrClient, fixture: &str) -> String {
    let mut file = bytes(&format!("fixtures/{fixture}"));
    if fixture == "oversized" {
        // As long as its header says.
        file.resize(2 * 1024 * 1024, 0xA5);
    }
    match client.image_upload(file, Some(0), None, false, None) {
        Err(MCUmgrClientError::ExecuteError(ExecuteError::ErrorResponse(DeviceError::V1 {
            rsn: Some(why), ..
        }))) => why,
        other => panic!("{fixture}: {other:?}"),
    }
}

#[test]
fn what_is_no_good_is_refused_with_the_reason_and_the_guest_runs_on() {
    let live = blinky_c();
    let client = client(&live, 115_200);
    let mut reasons = Vec::new();
    let verdict = live.watch_led(Duration::from_secs(20), || {
        reasons.clear();
        for (fixture, reason) in [
            ("unsigned", "image not signed: sign it with a key of this host"),
            ("foreign-key", "image signed with unknown key "),
            ("bad-signature", "image has a wrong signature: it was changed, or sign it again"),
            ("foreign-world", "image needs embedded:platform/board@9.9.0: build it for the contract of this host"),
            ("foreign-engine", "image for another engine (wasmtime 47.0.0 "),
            ("corrupt", "image damaged (SHA-256 differs): flash it again"),
            ("truncated", "image truncated: it needs "),
            ("oversized", "image too large (2097152 bytes): the slot has "),
        ] {
            let why = refused(&client, fixture);
            assert!(why.starts_with(reason), "{fixture}: {why}");
            reasons.push(why);
        }
    });
    assert!(verdict.passed, "{verdict:#?}");
    for why in reasons {
        live.says(&format!("update: guest 0: refused: {why}"));
    }
    // Of what was written to the other slot nothing is left that could be taken for an image.
    let images = client.image_get_state().expect("it answers");
    assert_eq!(active(&images), (hash("guests/blinky-c"), true), "{images:?}");
    assert_eq!(images.len(), 1, "{images:?}");
    drop(client);
    // Those that get as far as the board are refused the same way to users of `hil`.
    let unsigned = ask(&live, &["install", "unsigned", "--artefacts", &artefacts()]);
    assert_eq!(unsigned.status.code(), Some(2), "{}", text(&unsigned));
    assert!(text(&unsigned).contains("uploading: the board refuses: image not signed: "), "{}", text(&unsigned));
}

#[test]
fn what_was_confirmed_is_not_rolled_back() {
    let live = blinky_c();
    drop(client(&live, 115_200));
    done(&ask(&live, &["install", "counter-1", "--trial", "500ms", "--artefacts", &artefacts()]));
    let rolled = refused(&client(&live, 115_200), "counter-0");
    assert_eq!(rolled, "image rolled back (security counter 0, at least 1 needed): build it with a higher one");
    // Nor by what is in the other slot still.
    let back = client(&live, 115_200).image_set_state(Some(&hash("guests/blinky-c")), false);
    assert!(back.is_err(), "{back:?}");
    let images = client(&live, 115_200).image_get_state().expect("it answers");
    assert_eq!(active(&images), (hash("fixtures/counter-1"), true), "{images:?}");
}
