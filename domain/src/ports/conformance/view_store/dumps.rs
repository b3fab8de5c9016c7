//! Whole tables, and keys that fit none.

use super::*;

pub(super) async fn dumps_should_page_through_everything(store: &impl ViewStore) {
    let keys = [
        ("b", 1, "x"),
        ("a", 10, "x"),
        ("a", 9, "y"),
        ("a", 9, "x"),
        ("c", 0, "gone"),
    ];
    let writes = keys.map(|(owner, created, id)| write(list_key(owner, created, id), 1, id));
    store
        .flush(&view(1), rows(writes.to_vec()))
        .await
        .expect("written");
    store
        .flush(&view(1), rows(vec![write(list_key("c", 0, "gone"), 2, "")]))
        .await
        .expect("removed");
    let (mut all, mut after): (Vec<RowKey>, Option<RowKey>) = (Vec::new(), None);
    loop {
        let page = store
            .dump(&view(1), &LISTED, after.as_ref(), 2)
            .await
            .expect("readable");
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        all.extend(page.into_iter().map(|(key, _)| key));
    }
    let expected = [("a", 9, "x"), ("a", 9, "y"), ("a", 10, "x"), ("b", 1, "x")];
    assert_eq!(
        all,
        expected.map(|(owner, created, id)| list_key(owner, created, id))
    );
}

pub(super) async fn malformed_keys_should_be_refused(store: &impl ViewStore) {
    let short = RowKey {
        table: LISTED.name,
        partition: vec!["a".into()],
        clustering: vec![1u64.into()],
    };
    let wrong = RowKey {
        table: LISTED.name,
        partition: vec![1u64.into()],
        clustering: vec![1u64.into(), "x".into()],
    };
    let huge = list_key("a", 1 << 63, "x");
    let stranger = RowKey {
        table: "nowhere",
        ..id_key("a", "b")
    };
    for key in [short, wrong, huge, stranger] {
        store
            .get(&view(1), std::slice::from_ref(&key))
            .await
            .expect_err("cannot be read");
        let flush = rows(vec![write(id_key("good", "row"), 1, "x"), write(key, 1, "x")]);
        store.flush(&view(1), flush).await.expect_err("cannot be written");
    }
    let bound = Scan {
        after: Some(vec![1u64.into()]),
        ..listed(Direction::Forward)
    };
    store
        .scan(&view(1), &bound)
        .await
        .expect_err("a bound needs every part");
}
