//! The English sentences, by key. Short, second person, no jargon the glossary lacks.

macro_rules! sentences {
    ($($name:ident = $text:literal;)+) => {
        /// The key of a sentence.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Word { $(#[doc = $text] $name,)+ }
        impl Word {
            /// The sentence, with its places unfilled.
            pub const fn text(self) -> &'static str { match self { $(Self::$name => $text),+ } }
            /// Every key with its sentence.
            #[cfg(test)]
            pub const ALL: &'static [(&'static str, &'static str)] = &[$((stringify!($name), $text)),+];
        }
    };
}

sentences! {
    // past
    Past = "The past";
    PastBanner = "You see this as it was on {moment}. Nothing here can be changed.";
    PastLeave = "Return to now";
    PastLabel = "As it was on";
    PastShow = "Show";
    // frame
    Product = "Vaultstream";
    PageTitle = "{page} · Vaultstream";
    SkipToContent = "Skip to content";
    NavLabel = "Sections";
    NavHome = "Home";
    NavVaults = "Vaults";
    NavTransfers = "Transfers";
    MenuOpen = "Open the menu";
    MenuClose = "Close the menu";
    SearchLabel = "Search";
    SearchHint = "Name, address, hash or id";
    ThemeSystem = "Theme: as the system";
    ThemeLight = "Theme: light";
    ThemeDark = "Theme: dark";
    Help = "Keyboard help";
    SignOut = "Sign out";
    Sandbox = "SANDBOX";
    SandboxSentence = "Money on {chains} is worth nothing.";
    BuildLine = "Build {build}";
    ZoneLine = "Times are in {zone}";
    FootProjections = "Projections";
    FootProof = "Check a proof";
    WaitingCount = "{count} waiting";

    // live
    LiveNow = "Live";
    LiveAge = "Live {age}";
    LiveBehind = "Catching up, {age} behind";
    LiveJoining = "Connecting";
    LiveRejoining = "Reconnecting, {age}";
    LiveOffline = "Offline, {age}";
    LiveOfflineNote = "There has been no connection for {age}. What you see is the last known state; it updates by itself.";

    // ages and times
    AgeNow = "now";
    AgeSeconds = "{n} s";
    AgeMinutes = "{n} min";
    AgeHours = "{n} h";
    AgeDays = "{n} d";
    AgeAgo = "{age} ago";

    // states of a transfer
    TransferRequested = "Requested";
    TransferScreening = "Screening";
    TransferAwaiting = "Waiting for approval";
    TransferApproved = "Approved";
    TransferExecuting = "Moving";
    TransferCompleted = "Completed";
    TransferFailed = "Failed";
    TransferRejected = "Denied";
    TransferCancelled = "Cancelled";
    TransferExpired = "Expired";
    TransferReversed = "Reversed by the chain";

    // stages of an execution
    StageQueued = "Waiting for a slot";
    StagePlanned = "Drawn up";
    StageBound = "Bound to a slot";
    StageSigned = "Signed";
    StageBroadcasting = "Being sent";
    StageSeen = "In the node's pool";
    StageUnknown = "No clear answer, sent again";
    StageIncluded = "In a block, {n} confirmations";
    StageStuck = "Stuck, look at it";
    StageReplacing = "Being replaced";
    StageCancelling = "Being cancelled";
    StageFinalized = "Final";
    StageSuperseded = "Replaced";
    StageDead = "Cannot happen any more";
    StageReversed = "Reversed by the chain";

    // other states
    VaultActive = "Active";
    VaultArchived = "Archived";
    TierHot = "Hot";
    TierWarm = "Warm";
    TierCold = "Cold";
    AccountOpening = "Opening";
    AccountOpen = "Open";
    AccountFrozen = "Frozen";
    AccountClosed = "Closed";

    // who
    ActorYou = "you";
    ActorKey = "API key …{end}";
    ActorSession = "browser session …{end}";
    ActorSystem = "Vaultstream ({part})";

    // panels
    Retry = "Try again";
    CopyValue = "Copy {what}";
    CopiedValue = "Copied {what}";
    WhatAddress = "address";
    WhatId = "id";
    WhatHash = "hash";
    WhatRequest = "request id";
    StaleNote = "This is from {age} ago.";
    UnavailableTitle = "The server cannot be reached";
    UnavailableDetail = "Nothing was changed. Check the connection; this page tries again by itself when it is back.";
    UnreadableTitle = "The answer could not be read";
    UnreadableDetail = "The server answered {status} with something this page does not understand. Reload the page; if it stays, tell the operator.";
    NoPermission = "You may not see this";
    NoPermissionWords = "{detail} Whoever issues your organization's API keys can give you one that may.";

    // sign in
    SignInTitle = "Sign in";
    SignInWords = "Paste an API key. It is exchanged for a session of this browser and not kept.";
    SignInKey = "API key";
    SignInKeyHint = "It has the form key_…_… and was shown once, when it was issued.";
    SignInButton = "Sign in";
    SignInLinkWords = "Or open the one-time link that the server printed when it started.";
    SignInMissing = "Paste an API key.";
    SignedOut = "You are signed out.";

    // home
    NeedsYou = "Needs you";
    NeedsNothing = "Nothing needs you";
    NeedsNothingWords = "Transfers that wait for approval or got stuck appear here.";
    MovingNow = "Moving now";
    MovingNothing = "Nothing is moving";
    MovingNothingWords = "Transfers on their way to the chain appear here.";
    Totals = "Totals";
    TotalsNothing = "No balances yet";
    TotalsNothingWords = "They appear as soon as an account receives something.";
    TotalsCounts = "{vaults} vaults, {accounts} accounts";
    Quarantined = "{n} streams could not be read and are kept aside. What is shown of them is old; an operator has to look.";
    ChainHealth = "Chains";
    ChainHead = "Block {height}, {age}";
    ChainFinal = "Final up to {height}, {depth} blocks below";
    ChainWaiting = "Its node has not answered yet";
    ChainSandbox = "sandbox";
    LatestEvents = "Latest events";
    EventsNothing = "Nothing has happened yet";
    EventsNothingWords = "Create a vault, and its history begins here.";
    NeedsApproval = "Waits for your decision";
    NeedsLook = "Makes no progress; look at its evidence";
    SeeAll = "See all";

    // vaults
    VaultsNothing = "No vaults yet";
    VaultsNothingWords = "A vault holds accounts on chains. Create the first one.";
    NewVault = "New vault";
    NoMatch = "Nothing matches";
    NoMatchWords = "No entry fits these filters.";
    ClearFilters = "Clear filters";
    ClearFilter = "Clear filter: {filter}";
    FilterName = "Name begins with";
    FilterStatus = "Status";
    FilterChain = "Chain";
    FilterOpen = "Progress";
    FilterAny = "Any";
    FilterMoving = "Not over";
    FilterOver = "Over";
    FilterNameIs = "Name begins with {value}";
    FilterVaultIs = "One vault only";
    SortLabel = "Sort";
    SortNewest = "Newest first";
    SortOldest = "Oldest first";
    SortName = "By name";
    SortActivity = "Latest activity first";
    ColumnName = "Name";
    ColumnHolds = "Holds";
    ColumnAccounts = "Accounts";
    ColumnTier = "Tier";
    ColumnStatus = "Status";
    ColumnCreated = "Created";
    ColumnAmount = "Amount";
    ColumnFrom = "From";
    ColumnTo = "To";
    ColumnWhen = "Requested";
    ColumnStage = "Stage";
    ColumnAsset = "Asset";
    ColumnBalance = "Balance";
    ColumnChain = "Chain";
    ColumnBlock = "Read at block";
    NextPage = "Next";
    FirstPage = "Back to the start";
    NewRows = "{n} new";

    // vault
    VaultTitle = "Vault";
    Balances = "Balances";
    BalancesNothing = "No balance has been read yet";
    BalancesNothingWords = "Send something to an address below; it appears here by itself.";
    Accounts = "Accounts and addresses";
    AccountsNothing = "No accounts";
    AccountsNothingWords = "This vault has no account on any chain.";
    AddressPending = "Its key is being made";
    VaultTransfers = "Transfers of this vault";
    Send = "Send";
    FaucetButton = "Ask the faucet for 1 {symbol}";
    FaucetAsked = "The faucet is sending. The balance changes when the chain has it.";
    NotFoundTitle = "Not found";
    NotFoundWords = "There is no such thing, or it belongs to another organization.";
    BackHome = "Go to Home";

    // new vault
    VaultName = "Name";
    VaultNameHint = "1 to 80 characters. Names are not secret; do not use a person's data.";
    VaultTier = "How exposed its keys are";
    VaultChains = "Open an account on";
    CreateVaultButton = "Create vault";
    CreateVaultNamed = "Create vault {name}";
    FieldRequired = "Fill this in.";
    Submitted = "Submitted, waiting for the ledger.";

    // transfers
    TransfersNothing = "No transfers yet";
    TransfersNothingWords = "A transfer moves an asset from one of your accounts to an address.";
    NewTransfer = "New transfer";
    TransferTitle = "Transfer";
    TransferSentence = "{amount} from {from} to {to}";
    SentenceRequested = "{amount} from {from} to {to}, about to be screened";
    SentenceAwaiting = "{amount} from {from} to {to}, waiting for {missing} of {needed} approvals";
    SentenceApproved = "{amount} from {from} to {to}, approved and about to move";
    SentenceExecuting = "{amount} from {from} to {to}, on its way";
    SentenceCompleted = "{amount} moved from {from} to {to}";
    SentenceFailed = "{amount} from {from} to {to} failed; no money moved";
    SentenceRejected = "{amount} from {from} to {to} was denied; no money moved";
    SentenceCancelled = "{amount} from {from} to {to} was cancelled; no money moved";
    SentenceExpired = "{amount} from {from} to {to} expired without approval; no money moved";
    SentenceReversed = "{amount} from {from} to {to} was final and the chain undid it";

    // transfer: tabs, facts, actions
    TabTimeline = "Timeline";
    TabEvents = "Events";
    TabRaw = "Raw";
    TabsLabel = "Views of this transfer";
    Facts = "Facts";
    FactFrom = "From";
    FactTo = "To";
    FactAmount = "Amount";
    FactNetwork = "Network";
    FactFee = "Network fee";
    FactFeeMax = "Fee at most";
    FactTransaction = "Transaction";
    FactBlock = "Block";
    FactRequestedBy = "Requested by";
    FactRule = "Rule";
    FactExternalId = "Your id";
    FactMemo = "Note";
    FactErased = "Erased, as somebody's personal data";
    FactExpires = "Lapses";
    FactFailure = "Why";
    FactId = "Id";
    Actions = "Actions";
    ActApprove = "Approve {amount} to {to}";
    ActDeny = "Deny";
    ActCancel = "Cancel transfer";
    NoActDecided = "There is nothing to decide any more.";
    NoActScope = "Approving needs the scope {scope}, which this session lacks.";
    NoActMoving = "It is bound to a slot on the chain. From here it ends only there.";
    NoActYet = "It waits for screening, not for you.";
    AskReason = "Reason";
    AskReasonHint = "People read it in the audit. 1 to 500 characters.";
    DialogApprove = "Approve this transfer";
    DialogDeny = "Deny this transfer";
    DialogCancel = "Cancel this transfer";
    DenyButton = "Deny {amount} to {to}";
    CancelButton = "Cancel {amount} to {to}";
    Close = "Close";
    Cancel = "Cancel";
    RawWords = "As GET /v1/transfers/{id} answers it.";
    EventPlace = "shard {shard}, position {position}";
    EventHash = "hash {hash}";
    EventPrevious = "previous {hash}";
    EventsCut = "The last {n} events are shown; the API has them all.";

    // timeline
    LineRequested = "Requested by {actor}";
    LineScreenedFree = "Screened: no approval needed";
    LineScreenedOne = "Screened: one approval needed";
    LineScreened = "Screened: {n} approvals needed";
    LineApproved = "Approved by {actor}";
    LineApprovedCount = "Approved by {actor}, {n} of {needed}";
    LineDenied = "Denied by {actor}";
    LineCancelled = "Cancelled by {actor}";
    LineExpired = "Lapsed without approval";
    LineStarted = "Handed to execution";
    LineQueued = "Queued for the paying account";
    LinePlanned = "Funds reserved, transaction drawn up";
    LineBound = "Bound to slot {slot}";
    LineBoundPlain = "Bound to a slot";
    LineSigned = "Signed";
    LineSignedAgain = "Signed again, attempt {n}";
    LineSent = "Sent to the network";
    LineSeen = "In the node's pool";
    LineIncluded = "In block {height}";
    LineIncludedFailed = "In block {height}, where it failed";
    LineDetached = "Block {height} was detached; the same bytes are sent again";
    LineFinal = "Block {height} is final";
    LineFinalFailed = "Block {height} is final, and the transaction failed in it";
    LineStuck = "No progress";
    LineDead = "Proven never to be included";
    LineExecutionReversed = "The final block {height} was undone";
    LineCompleted = "Completed";
    LineFailed = "Failed: {code}";
    LineReversed = "Reversed by the chain";
    LineOther = "{kind}";
    ProofRule = "Rule: {rule}";
    ProofReason = "Reason: {reason}";
    ProofTransaction = "Transaction";
    ProofBlock = "Block hash";
    ProofFee = "Fee {amount}";
    ProofDigest = "Digest";
    ProofNode = "{node}: {outcome}";
    OutcomeAccepted = "took it";
    OutcomeKnown = "has it already";
    OutcomeRejected = "refused it";
    OutcomeContested = "says the slot is taken";
    OutcomeFee = "wants a higher fee";
    OutcomeEarly = "waits for an earlier slot";
    OutcomeAmbiguous = "gave no clear answer; the same bytes are sent again";
    AheadApproval = "Approval";
    AheadSigned = "Signed";
    AheadSent = "Sent to the network";
    AheadIncluded = "In a block";
    AheadFinal = "Final";
    NextRequested = "Next: screening, within a second or so.";
    NextAwaiting = "Next: someone who may approve decides. Without a decision it lapses {when}.";
    NextApproved = "Next: the funds are reserved and the transaction is drawn up.";
    NextQueued = "Next: funds are reserved and the transaction is drawn up.";
    NextPlanned = "Next: the slot and the digest are fixed.";
    NextBound = "Next: the transaction is signed. From here it ends only on the chain.";
    NextSigned = "Next: the signed bytes are handed to a node.";
    NextSending = "Next: a node takes the bytes into its pool. The same bytes are sent again until one does.";
    NextSeen = "Next: a block includes it. The pool decides when.";
    NextIncluded = "Next: its block becomes final. It has {n} confirmations.";
    NextIncludedNone = "Next: its block becomes final.";
    NextStuck = "A person should look. The same bytes are still being offered.";
    NextUnknown = "No node gave a clear answer. The same bytes are sent again; they cannot pay twice.";

    // events as sentences
    EventTransferRequested = "{actor} requested {amount} from {vault} to {to}";
    EventTransferScreened = "A transfer of {vault} passed screening";
    EventTransferApproved = "{actor} approved a transfer of {vault}";
    EventTransferRejected = "{actor} denied a transfer of {vault}";
    EventTransferCancelled = "{actor} cancelled a transfer of {vault}";
    EventTransferExpired = "A transfer of {vault} lapsed without approval";
    EventTransferExecuting = "A transfer of {vault} began to move";
    EventTransferCompleted = "A transfer of {vault} completed in block {block}";
    EventTransferFailed = "A transfer of {vault} failed: {code}";
    EventTransferReversed = "The chain undid a transfer of {vault}";
    EventExecutionPlanned = "A transaction of {vault} was drawn up";
    EventExecutionBound = "A transaction of {vault} was bound to its slot";
    EventExecutionSigned = "A transaction of {vault} was signed";
    EventExecutionTried = "A transaction of {vault} was sent: the node {outcome}";
    EventExecutionSeen = "A transaction of {vault} is in the node's pool";
    EventExecutionIncluded = "A transaction of {vault} is in block {block}";
    EventExecutionDetached = "Block {block} with a transaction of {vault} was detached";
    EventExecutionFinalized = "Block {block} with a transaction of {vault} is final";
    EventExecutionStuck = "A transaction of {vault} makes no progress";
    EventExecutionDead = "A transaction of {vault} can never be included";
    EventExecutionReversed = "A final transaction of {vault} was undone by its chain";
    EventVaultCreated = "{actor} created the vault {name}";
    EventVaultRenamed = "{actor} renamed a vault to {name}";
    EventVaultAccount = "{vault} got an account on {chain}";
    EventVaultArchived = "{actor} archived {vault}";
    EventAccountOpened = "An account of {vault} opened at {address}";
    EventBalance = "{vault} holds {amount} at block {block}";
    EventAccountFrozen = "An account of {vault} was frozen: {reason}";
    EventAccountUnfrozen = "An account of {vault} may send again";
    EventAccountClosed = "An account of {vault} was closed";
    EventOrganizationRegistered = "The organization {name} was registered";
    EventOrganizationRenamed = "The organization is now called {name}";
    EventApprovalNone = "Transfers need no approval from now on";
    EventApprovalOne = "Transfers need one approval from now on";
    EventOrganizationOther = "The organization changed: {kind}";
    EventKeyIssued = "{actor} issued the API key {name}";
    EventKeyReduced = "{actor} took scopes from an API key";
    EventKeyRevoked = "{actor} revoked an API key";
    EventSessionOpened = "A browser session was opened";
    EventSessionRevoked = "A browser session was ended";
    EventErased = "{actor} erased personal data";
    EventRead = "{actor} read events";
    EventOther = "{kind}";
    SomeVault = "a vault";

    // new transfer
    FormFrom = "From vault";
    FormFromNone = "Choose a vault";
    FormAsset = "Asset";
    FormAssetNone = "Choose an asset";
    FormAssetHolds = "{symbol} on {chain}, {amount} held";
    FormNoAccounts = "This vault has no open account to send from.";
    FormTo = "To address";
    FormToHint = "Paste it whole. Its checksum is checked.";
    FormAmount = "Amount";
    FormAmountHint = "{held} held. Up to {decimals} decimal places.";
    FormMore = "Note and your own id";
    FormMemo = "Note";
    FormMemoHint = "At most 500 characters. Kept encrypted.";
    FormExternal = "Your own id for this transfer";
    FormExternalHint = "Unique for ever, up to 128 visible characters. Optional.";
    ReviewButton = "Review";
    AmountEmpty = "Enter an amount.";
    AmountNotNumber = "Use digits and one point, such as 1.25.";
    AmountTooFine = "{symbol} has {decimals} decimal places; this has more.";
    AmountZero = "Enter an amount above zero.";
    AmountTooLarge = "No asset has that much.";
    AmountOverBalance = "The account holds {held}.";
    ReviewTitle = "Review before money moves";
    ReviewSentence = "You are about to send {amount} from {from} to {to} on {chain}.";
    ReviewFrom = "From";
    ReviewTo = "To";
    ReviewAsset = "Asset";
    ReviewAmount = "Amount";
    ReviewNetwork = "Network";
    ReviewFee = "Network fee";
    ReviewFeeValue = "about {expected}, at most {max}";
    ReviewFeeUnknown = "The chain's node does not answer; the fee is fixed when it does.";
    ReviewBefore = "Balance now";
    ReviewAfter = "Balance after, at worst";
    ReviewAfterShort = "Not enough: this transfer would end as insufficient-funds.";
    ReviewRule = "Approval";
    ReviewRuleNone = "None needed; it moves at once.";
    ReviewRuleSome = "{n} needed before it moves.";
    ReviewSandbox = "This is a sandbox; its money is worth nothing.";
    ReviewOwn = "This is your own vault {name}.";
    ReviewFirst = "You have not sent to this address before. Compare it with its source, character by character.";
    ReviewLookAlike = "This address looks like {known}, but it is another one. Differing characters are marked. Someone may have put it there to be confused.";
    ReviewKnown = "You have sent to this address before.";
    ReviewCompared = "I compared every character with its source.";
    SendButton = "Send {amount} to {to}";
    Edit = "Change something";
    SendUnclear = "No answer came, so it is not known whether the request arrived. Trying again sends the same request; it cannot pay twice.";
    TooManyKnown = "Only your latest 50 transfers were looked through.";

    // search
    SearchTitle = "Search";
    SearchFor = "Results for {text}";
    SearchNothing = "Type a name, an address, a hash or an id";
    SearchNothingWords = "Names are found by their beginning; the rest must be whole.";
    SearchNone = "Nothing found for {text}";
    HitVault = "Vault";
    HitAccount = "Account";
    HitTransfer = "Transfer";
    HitExecution = "Transaction";

    // help
    HelpSearch = "Search";
    HelpHelp = "This help";
    HelpHome = "Go to Home";
    HelpVaults = "Go to Vaults";
    HelpTransfers = "Go to Transfers";
    HelpEscape = "Close what is open";
    HelpNote = "No key sends or approves anything.";
}
