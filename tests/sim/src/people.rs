//! People: a tenant who makes a vault and asks for transfers, readers who look, listeners who subscribe.
//!
//! Their programs never die and never give up: whoever gets no clear answer asks again, another process perhaps, with
//! the same ids. What they were told is recorded and held against the log at the end.

mod ask;
mod listen;
mod read;
mod record;

use std::sync::Arc;

use vaultstream_domain::Transact;
use vaultstream_domain::execution::{Slots, spendable};
use vaultstream_domain::organization::{OrganizationCommand, RegisterOrganization};
use vaultstream_domain::ports::{Clock, EventLog, Ids};
use vaultstream_domain::transfer::{ChangeTransfer, RequestTransfer, TransferCommand};
use vaultstream_domain::vault::{Account, CreateVault};
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::transfer::v1::Requested;
use vaultstream_event_schemas::vault::v1::{AccountAdded, Tier, VaultCreated};
use vaultstream_event_schemas::{AccountId, Amount, Family, OrganizationId, TransferId, VaultId, id};

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

    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.world.sim.spawn(PEOPLE, name, Box::pin(task));
    }

    async fn found(self: Arc<Self>) {
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
        self.world.chain.give(&address, GIVEN);
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
        let request = RequestTransfer {
            transfer,
            organization: self.organization,
            request,
        };
        if !self.ask(Arc::new(request)).await {
            self.record.refused(transfer);
            return;
        }
        if is_withdrawn {
            let reason = "changed our mind".to_owned();
            self.change(transfer, TransferCommand::Cancel { reason }).await;
        }
        if self.world.plan.is_approved_by_people {
            self.approve(transfer).await;
        }
    }

    async fn change(&self, transfer: TransferId, command: TransferCommand) -> bool {
        let change = ChangeTransfer {
            transfer,
            organization: self.organization,
            vault: self.vault,
            expected: None,
            command,
        };
        self.ask(Arc::new(change) as Arc<dyn Transact>).await
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
