//! Which of several writes of a row stays.

use super::*;

/// Every order of writing, late writers and repeats included, ends in the same rows.
pub(super) async fn rows_should_converge_in_any_order(store: &impl ViewStore) {
    let writes = [(10, "first"), (20, ""), (30, "third"), (40, "")];
    for (case, order) in permutations(writes.len()).into_iter().enumerate() {
        for last in 1..=writes.len() {
            let owner = format!("case-{case}-{last}");
            for step in &order {
                let (hlc, value) = writes[*step];
                if *step < last {
                    let flush = rows(vec![write(id_key(&owner, "x"), hlc, value)]);
                    store.flush(&view(1), flush.clone()).await.expect("written");
                    store
                        .flush(&view(1), flush)
                        .await
                        .expect("a repeat changes nothing");
                }
            }
            let found = store
                .get(&view(1), &[id_key(&owner, "x")])
                .await
                .expect("readable");
            let newest = writes[last - 1].1;
            let expected = (!newest.is_empty()).then(|| newest.as_bytes().to_vec());
            assert_eq!(
                found,
                vec![expected],
                "order {order:?} of the first {last} writes"
            );
        }
    }
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![vec![]];
    }
    let shorter = permutations(n - 1);
    let insert = |p: &Vec<usize>, at: usize| {
        let mut longer = p.clone();
        longer.insert(at, n - 1);
        longer
    };
    shorter
        .iter()
        .flat_map(|p| (0..=p.len()).map(move |at| insert(p, at)))
        .collect()
}

pub(super) async fn equal_stamps_should_keep_the_larger_value(store: &impl ViewStore) {
    for (case, values) in [["a", "b"], ["b", "a"], ["", "b"], ["b", ""]].iter().enumerate() {
        let key = id_key("ties", &case.to_string());
        for value in values {
            store
                .flush(&view(1), rows(vec![write(key.clone(), 7, value)]))
                .await
                .expect("written");
        }
        let found = store.get(&view(1), &[key]).await.expect("readable");
        assert_eq!(found, vec![Some(b"b".to_vec())], "{values:?}");
    }
    let missing = store
        .get(
            &view(1),
            &[id_key("ties", "none"), id_key("ties", "0"), id_key("ties", "0")],
        )
        .await;
    let present = Some(b"b".to_vec());
    assert_eq!(
        missing.expect("readable"),
        vec![None, present.clone(), present],
        "answers stand in the order asked"
    );
}
