//! The directory over a real log, with a bus that can be made to fail: what is kept, when it is dropped, when it is not
//! believed.

mod revocation;
mod rig;

use std::sync::atomic::Ordering;
use std::time::Duration;

use vaultstream_domain::organization::{OrganizationCommand, RegisterOrganization};
use vaultstream_domain::ports::Ids;
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::{OrganizationId, ShardNumber, id};
use vaultstream_infra_runtime::SystemIds;

use crate::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn change_should_be_heard_and_the_kept_state_dropped() {
    let rig = Rig::start().await;
    rig.keep().await;
    let mut changes = rig.directory.changes();
    rig.rename("Second").await;
    tokio::time::timeout(Duration::from_secs(1), changes.changed())
        .await
        .expect("heard")
        .expect("alive");
    rig.answers("Second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_tail_should_not_be_believed() {
    let rig = Rig::start().await;
    rig.keep().await;
    rig.wire.cut.store(true, Ordering::SeqCst);
    // A fetch that was under way when the wire was cut has come back after this.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    rig.rename("Second").await;
    rig.clock.0.store(60, Ordering::SeqCst);
    assert!(
        rig.directory.kept(rig.organization.into()).await.is_none(),
        "a minute of silence"
    );
    assert_eq!(rig.name().await, "Second", "the log is asked instead");
    rig.wire.cut.store(false, Ordering::SeqCst);
    rig.keep().await;
    assert_eq!(rig.name().await, "Second");
}

#[tokio::test(flavor = "multi_thread")]
async fn hole_in_the_bus_should_drop_everything() {
    let rig = Rig::start().await;
    rig.keep().await;
    rig.wire.cut.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    rig.rename("Second").await;
    // The last event is of another stream, so only the hole before it can say that the first one changed.
    let other = OrganizationId::from_uuid(id::with_shard(SystemIds.next(), rig.organization.shard()));
    let command = OrganizationCommand::Register {
        name: "Other".into(),
        approval: Approval::None,
        contact: None,
    };
    rig.run(RegisterOrganization {
        organization: other,
        command,
    })
    .await;
    rig.wire.lossy.store(true, Ordering::SeqCst);
    rig.wire.cut.store(false, Ordering::SeqCst);
    rig.answers("Second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stranger_should_be_nothing_and_keep_nothing() {
    let rig = Rig::start().await;
    let nobody = OrganizationId::from_uuid(id::with_shard(SystemIds.next(), rig.organization.shard()));
    assert!(rig.directory.get(nobody.into()).await.expect("reads").is_none());
    let nowhere = OrganizationId::from_uuid(id::with_shard(SystemIds.next(), ShardNumber(999)));
    assert!(
        rig.directory.get(nowhere.into()).await.expect("reads").is_none(),
        "a shard that does not exist"
    );
}
