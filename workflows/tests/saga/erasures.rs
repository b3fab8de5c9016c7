//! Orders of erasure in the log: carried out after a crash cut them off, and again when old keys came back.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vaultstream_domain::organization::{ChangeOrganization, OrganizationCommand, RegisterOrganization};
use vaultstream_domain::ports::Keyring;
use vaultstream_domain::ports::keyring::{KeyringError, open, seal};
use vaultstream_event_schemas::organization::v1::{Approval, Contact};
use vaultstream_event_schemas::{Family, Grounds, OrganizationId, Sealed, ShardNumber, id};
use vaultstream_infra_keystore::{Keystore, Options};
use vaultstream_workflows::CarryOutErasures;

use crate::net::Net;
use crate::script::Script;
use crate::world::World;

/// The only `core` shard of these worlds.
const SHARD: ShardNumber = ShardNumber(0);

fn keyring(dir: &Path) -> Arc<Keystore> {
    let options = Options {
        dir: dir.to_owned(),
        passphrase: None,
    };
    Arc::new(Keystore::open(&options).expect("opens"))
}

/// An organization with a contact that is ordered to be erased, and nothing done about it.
async fn ordered(world: &World<'_>, keys: &Keystore, number: u128) -> Sealed<Contact> {
    let bare = id::random(1, number);
    let shard = world
        .log
        .registry()
        .place(&Family::Core, bare)
        .expect("core exists");
    let organization = OrganizationId::from_uuid(id::with_shard(bare, shard));
    let contact = Contact {
        email: "ada@example.org".into(),
        name: "Ada".into(),
    };
    let sealed = seal(keys, &organization.to_string(), &contact)
        .await
        .expect("sealed");
    let register = RegisterOrganization {
        organization,
        command: OrganizationCommand::Register {
            name: "Known".into(),
            approval: Approval::None,
            contact: Some(sealed.clone()),
        },
    };
    world.run(register).await.expect("registered");
    let erase = ChangeOrganization {
        organization,
        expected: None,
        command: OrganizationCommand::EraseContact {
            grounds: Grounds::Request,
        },
    };
    world.run(erase).await.expect("ordered");
    sealed
}

/// Carries out what the log orders until the keyring has heard everything.
async fn carry_out(world: &World<'_>, keys: &Arc<Keystore>) {
    let services = world.services(&Arc::new(Script::calm()), &CancellationToken::new());
    let stop = CancellationToken::new();
    let work = CarryOutErasures::new(
        keys.clone(),
        services.clock.clone(),
        services.tailer.clone(),
        SHARD,
    );
    let running = tokio::spawn(work.run(stop.clone()));
    let end = world.log.heads().await.expect("heads")[&SHARD].position;
    for _ in 0..1_000 {
        let heard = keys.carried_out(SHARD).await.expect("answers");
        if heard.is_some_and(|place| place.position >= end) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    running.await.expect("it ends in order");
    let heard = keys.carried_out(SHARD).await.expect("answers");
    assert_eq!(heard.map(|place| place.position), Some(end));
}

async fn is_erased(keys: &Keystore, sealed: &Sealed<Contact>) -> bool {
    matches!(open(keys, sealed).await, Err(KeyringError::Erased(_)))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("may");
    for entry in fs::read_dir(from).expect("lists").flatten() {
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("may");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_should_be_carried_out_after_a_crash_and_again_when_old_keys_come_back() {
    let net = Net::start().await;
    let world = World::new(&net, Approval::None).await;
    let dir = tempfile::tempdir().expect("a directory");
    let (place, backup) = (dir.path().join("keys"), dir.path().join("backup"));
    let keys = keyring(&place);
    let first = ordered(&world, &keys, 1).await;
    assert!(open(&*keys, &first).await.is_ok(), "ordered, and then a crash");
    carry_out(&world, &keys).await;
    assert!(is_erased(&keys, &first).await);

    copy(&place, &backup);
    let second = ordered(&world, &keys, 2).await;
    copy(&place, &backup);
    carry_out(&world, &keys).await;
    assert!(is_erased(&keys, &second).await);
    drop(keys);
    fs::remove_dir_all(&place).expect("may");
    copy(&backup, &place);
    let keys = keyring(&place);
    assert!(open(&*keys, &second).await.is_ok(), "it has come back");
    carry_out(&world, &keys).await;
    assert!(is_erased(&keys, &second).await, "and dies again");
    assert!(is_erased(&keys, &first).await);

    // Another machine with the same log and other keys: nothing opens, and nothing ever will.
    let other = keyring(&dir.path().join("other"));
    carry_out(&world, &other).await;
    for sealed in [&first, &second] {
        assert!(is_erased(&other, sealed).await, "a tombstone, not a missing key");
    }
}
