//! What a process that starts anew knows of work that was under way.

use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_workflows::chain_lane::resumed_job;

use crate::net::{ETHER, Net};
use crate::process::Process;
use crate::script::Script;
use crate::world::{TRACE, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resumed_execution_should_keep_the_trace_of_who_asked_for_it() {
    let net = Net::start().await;
    let world = World::ready(&net, Approval::None, 10 * ETHER).await;
    let transfer = world.request(ETHER).await;
    let scope = world.scope(transfer);
    let mut process = Process::start(&world, Script::calm());
    let mut job = None;
    for _ in 0..10 {
        process.step().await;
        let resumed = resumed_job(&process.services, scope.execution, scope.organization).await;
        job = resumed.expect("a readable log");
        if job.is_some() {
            break;
        }
    }
    let job = job.expect("the execution was queued");
    assert_eq!(
        (job.scope.execution, job.trace.as_deref()),
        (scope.execution, Some(TRACE))
    );
    assert_eq!(job.transfers, [transfer]);
}
