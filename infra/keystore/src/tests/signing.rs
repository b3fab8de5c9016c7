//! What the signer signs, and what it refuses.

use super::*;

#[tokio::test]
async fn signer_should_refuse_what_the_intent_does_not_say() {
    let dir = TempDir::new().expect("a directory");
    let store = open(&dir);
    let (account, public) = created(&store, 1).await;
    let (other, other_public) = created(&store, 2).await;
    let refused = |change: fn(&mut SignRequest)| {
        let mut request = request(account, &public, 1);
        change(&mut request);
        let store = &store;
        async move {
            match store.sign(request).await {
                Err(KeyError::PlanMismatch(why)) => why,
                answer => panic!("{answer:?}"),
            }
        }
    };
    assert!(
        refused(|r| r.intent.amount = Amount::from_u128(2))
            .await
            .contains("value")
    );
    assert!(
        refused(|r| r.intent.destination = TO.to_lowercase().replace("db", "dc"))
            .await
            .contains("to is")
    );
    let chain = refused(|r| r.intent.asset = AssetId::try_new("eip155:1/slip44:60").expect("an asset")).await;
    assert!(chain.contains("chain_id is 31337"), "{chain}");
    let family =
        refused(|r| r.intent.asset = AssetId::try_new("bip122:000/slip44:0").expect("an asset")).await;
    assert!(family.contains("no Ethereum chain"), "{family}");
    let zero = refused(|r| r.intent.amount = Amount::ZERO).await;
    assert!(
        zero.contains("the amount is zero"),
        "the whole chain of reasons: {zero}"
    );

    let mut foreign = request(other, &public, 1);
    foreign.account = other;
    let error = store.sign(foreign).await.expect_err("another account's address");
    assert!(error.to_string().contains("the account's address is"), "{error}");
    assert!(store.sign(request(other, &other_public, 1)).await.is_ok());
}
