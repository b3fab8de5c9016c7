//! People: a tenant who makes a vault and asks for transfers, readers who look, listeners who subscribe.
//!
//! Their programs never die and never give up: whoever gets no clear answer asks again, another process perhaps, with
//! the same ids. What they were told is recorded and held against the log at the end.

mod again;
mod ask;
mod listen;
mod read;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use vaultstream_domain::execution::{Slots, spendable};
use vaultstream_domain::organization::{OrganizationCommand, RegisterOrganization};
use vaultstream_domain::ports::{Clock, EventLog, Ids};
use vaultstream_domain::transfer::{ChangeTransfer, RequestTransfer, TransferCommand};
use vaultstream_domain::vault::{Account, CreateVault};
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::transfer::v1::Requested;
use vaultstream_event_schemas::vault::v1::{AccountAdded, Tier, VaultCreated};
use vaultstream_event_schemas::{
    AccountId, Amount, CommandId, Family, OrganizationId, TransferId, VaultId, id,
};

use crate::chain::{self, ETHER, native};
use crate::sched::PEOPLE;
use crate::surroundings::Surroundings;
use crate::world::World;
pub use record::{Ack, Asked, Heard, Record};

/// Pause between looks at the log, in milliseconds.
const LOOK_MS: u64 = 200;
/// What every account is given, in wei.
const GIVEN: u128 = 50 * ETHER;
/// How long after the last account is ready transfers are asked for, in milliseconds.
const ASKING_MS: u64 = 6_000;
/// Of a thousand transfers, so many are withdrawn.
const WITHDRAWN: u64 = 120;

/// A request as it was sent; sent again, it is the same.
type Sent = (CommandId, Arc<RequestTransfer>);

/// The tenant.
pub struct People {
    world: Arc<World>,
    here: Surroundings,
    /// What they were told.
    pub record: Arc<Record>,
    /// The tenant.
    pub organization: OrganizationId,
    vault: VaultId,
    accounts: Vec<AccountId>,
    sent: Mutex<BTreeMap<TransferId, Sent>>,
    /// Transfers whose end they had seen when the log was put back.
    ended: Mutex<BTreeSet<TransferId>>,
}

impl People {
    /// Names for everything they will make.
    ///
    /// # Panics
    /// The plan's registry does not place them.
    pub fn new(world: &Arc<World>) -> Arc<Self> {
        let here = Surroundings {
            sim: world.sim.clone(),
            life: PEOPLE,
            skew_us: 0,
        };
        let registry = world.log.registry();
        let place = |family: &Family| {
            let bare = here.next();
            let shard = registry
                .place(family, bare)
                .expect("the family is in the registry");
            id::with_shard(bare, shard)
        };
        let family = Family::Chain(chain::settings().slug);
        let organization = OrganizationId::from_uuid(place(&Family::Core));
        let vault = VaultId::from_uuid(place(&Family::Core));
        let accounts = (0..world.plan.accounts).map(|_| AccountId::from_uuid(place(&family)));
        let accounts = accounts.collect();
        Arc::new(Self {
            world: Arc::clone(world),
            record: Arc::default(),
            here,
            organization,
            vault,
            accounts,
            sent: Mutex::default(),
            ended: Mutex::default(),
        })
    }

    /// Starts everything they do.
    pub fn start(self: &Arc<Self>) {
        let this = self.clone();
        self.spawn("tenant", async move { this.found().await });
        if self.world.plan.is_whole {
            for n in 0..2 {
                let this = self.clone();
                self.spawn("reader", async move { this.look().await });
                let this = self.clone();
                self.spawn("listener", async move { this.listen(n).await });
            }
        }
    }

    /// Starts something that they do.
    pub(crate) fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.world.sim.spawn(PEOPLE, name, Box::pin(task));
    }

    /// Makes organization, vault and accounts; where they are already, nothing changes.
    async fn establish(&self) {
        let approval = if self.world.plan.is_approved_by_people {
            Approval::One
        } else {
            Approval::None
        };
        let register = RegisterOrganization {
            organization: self.organization,
            command: OrganizationCommand::Register {
                name: "Tenant".to_owned(),
                approval,
                contact: None,
            },
        };
        self.ask(Arc::new(register)).await;
        let added = |account: &AccountId| AccountAdded {
            account: *account,
            chain: chain::settings().id,
        };
        let create = CreateVault {
            vault: self.vault,
            organization: self.organization,
            create: VaultCreated {
                name: "Vault".to_owned(),
                tier: Tier::Hot,
            },
            accounts: self.accounts.iter().map(added).collect(),
        };
        self.ask(Arc::new(create)).await;
    }

    async fn found(self: Arc<Self>) {
        self.establish().await;
        for account in self.accounts.clone() {
            self.fund(account).await;
        }
        for n in 0..self.world.plan.transfers {
            let this = self.clone();
            self.spawn("transfer", async move { this.transfer(n).await });
        }
    }

    /// Waits until an account is open, gives it money and waits until the log has seen it.
    async fn fund(&self, account: AccountId) {
        let address = loop {
            if let Some(address) = self.world.load::<Account>(account).address {
                break address;
            }
            self.here.sleep_ms(LOOK_MS).await;
        };
        let given = if self.world.plan.is_tight {
            u128::from(self.world.plan.transfers) * ETHER + ETHER / 2
        } else {
            GIVEN
        };
        self.world.chain.give(&address, given);
        loop {
            let state = self.world.load::<Account>(account);
            let slots = self.world.load::<Slots>(account.slots());
            if !spendable(&state, &slots, &native()).is_zero() {
                return;
            }
            self.here.sleep_ms(LOOK_MS).await;
        }
    }

    /// Asks for the `n`th transfer, whose amount no other transfer has, and does what people do about it.
    async fn transfer(self: Arc<Self>, n: u64) {
        let (wait, is_withdrawn) = self
            .world
            .sim
            .draw(|dice| (dice.below(ASKING_MS), dice.chance(WITHDRAWN)));
        self.here.sleep_ms(wait).await;
        let accounts = &self.accounts;
        let account = self.world.sim.draw(|dice| dice.one_of(accounts).copied());
        let Some(account) = account else { return };
        let transfer = TransferId::from_uuid(id::with_shard(self.here.next(), account.shard()));
        let wei = ETHER + u128::from(n) + 1;
        let request = Requested {
            account,
            amount: Amount::from_u128(wei),
            asset: native(),
            destination: payee(),
            expires_at: self.here.now().plus_seconds(3_600),
            external_id: None,
            fee_max: None,
            memo: None,
            vault: self.vault,
        };
        self.record.asked(Asked { transfer, wei });
        let request = Arc::new(RequestTransfer {
            transfer,
            organization: self.organization,
            request,
        });
        let command = CommandId::from_uuid(self.here.next());
        again::locked(&self.sent).insert(transfer, (command, request.clone()));
        self.request(command, request, is_withdrawn).await;
    }

    /// Asks for a transfer until it is taken, and does what people do about it.
    async fn request(&self, command: CommandId, request: Arc<RequestTransfer>, is_withdrawn: bool) {
        let transfer = request.transfer;
        if !self.ask_to_pay(command, request).await {
            self.record.refused(transfer);
            return;
        }
        self.record.taken(transfer);
        if is_withdrawn {
            let reason = "changed our mind".to_owned();
            self.change(transfer, TransferCommand::Cancel { reason }).await;
        }
        if self.world.plan.is_approved_by_people {
            self.approve(transfer).await;
        }
    }

    async fn change(&self, transfer: TransferId, command: TransferCommand) -> bool {
        let sent = again::locked(&self.sent).get(&transfer).cloned();
        let Some(account) = sent.map(|(_, request)| request.request.account) else {
            return false;
        };
        let change = ChangeTransfer {
            transfer,
            account,
            organization: self.organization,
            vault: self.vault,
            expected: None,
            command,
        };
        let command = CommandId::from_uuid(self.here.next());
        self.ask_to_pay(command, Arc::new(change)).await
    }

    /// Approves it once it waits for that, or has gone another way.
    async fn approve(&self, transfer: TransferId) {
        use vaultstream_domain::transfer::Transfer;
        use vaultstream_event_schemas::TransferStatus as S;
        loop {
            match self.world.load::<Transfer>(transfer).status {
                None | Some(S::Requested | S::Screening) => self.here.sleep_ms(LOOK_MS).await,
                Some(S::AwaitingApproval) => {
                    let now = self.here.now();
                    self.change(transfer, TransferCommand::Approve { now }).await;
                    return;
                }
                Some(_) => return,
            }
        }
    }
}

/// Where transfers go.
pub fn payee() -> String {
    crate::keys::address(AccountId::from_uuid(id::derived("payee", &[])))
}
