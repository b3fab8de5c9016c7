//! Generations and families that know nothing of each other.

use super::*;

pub(super) async fn generations_should_not_see_each_other(store: &impl ViewStore) {
    let key = [id_key("o", "x")];
    store.create(&view(2), &TABLES).await.expect("created");
    store
        .flush(&view(1), rows(vec![write(key[0].clone(), 1, "one")]))
        .await
        .expect("written");
    assert_eq!(store.get(&view(2), &key).await.expect("readable"), vec![None]);
    store
        .flush(&view(2), rows(vec![write(key[0].clone(), 1, "two")]))
        .await
        .expect("written");
    store
        .create(&view(1), &TABLES)
        .await
        .expect("to create again does nothing");
    assert_eq!(
        store.get(&view(1), &key).await.expect("readable"),
        vec![Some(b"one".to_vec())]
    );
    let shard = BTreeMap::from([(
        ShardNumber(1),
        Place {
            incarnation: 1,
            position: 5,
        },
    )]);
    let mark = Flush {
        watermarks: shard.clone(),
        ..Flush::default()
    };
    store.flush(&view(1), mark.clone()).await.expect("written");
    store.flush(&view(2), mark).await.expect("written");
    store.drop_generation(&view(1)).await.expect("dropped");
    store
        .get(&view(1), &key)
        .await
        .expect_err("a dropped generation cannot be read");
    assert_eq!(
        store.watermarks(&view(1)).await.expect("readable"),
        BTreeMap::new()
    );
    assert_eq!(
        store.get(&view(2), &key).await.expect("readable"),
        vec![Some(b"two".to_vec())]
    );
    assert_eq!(store.watermarks(&view(2)).await.expect("readable"), shard);
    store.create(&view(1), &TABLES).await.expect("made anew");
    assert_eq!(
        store.get(&view(1), &key).await.expect("readable"),
        vec![None],
        "and empty"
    );
    store
        .drop_generation(&view(9))
        .await
        .expect("nothing to drop is no error");
}

pub(super) async fn families_should_not_see_each_other(store: &impl ViewStore) {
    let chain = families().pop().expect("two families");
    let other = ViewRef {
        family: chain,
        ..view(1)
    };
    store.create(&other, &TABLES).await.expect("created");
    store.flush(&view(1), one_row(1)).await.expect("written");
    let key = [id_key("owner", "1")];
    assert_eq!(store.get(&other, &key).await.expect("readable"), vec![None]);
    assert_eq!(
        store.get(&view(1), &key).await.expect("readable"),
        vec![Some(b"value".to_vec())]
    );
}
