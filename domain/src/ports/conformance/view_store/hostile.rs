//! Keys, values and partitions as an attacker, a poet or a busy tenant makes them.

use super::*;

/// The highest number of a key.
const HIGHEST: u64 = (1 << 63) - 1;

fn words() -> Vec<String> {
    let long = "x".repeat(4_000);
    [
        "",
        " ",
        "'",
        "''; DROP TABLE suite_g1_listed; --",
        "\"quoted\"",
        "\\",
        "%",
        "?",
        ":a",
        "$1",
        "a\nb",
        "a\0b",
        "\u{7f}",
        "\u{80}",
        "\u{ffff}",
        "\u{1f512}",
        "e\u{301}",
        "\u{e9}",
        "\u{202e}abc",
        &long,
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Every text is a key, alone in its partition too, and no two of them meet.
pub(super) async fn keys_should_come_back_as_they_were(store: &impl ViewStore) {
    let words = words();
    let mut writes = Vec::new();
    for word in &words {
        writes.push(write(id_key(word, word), 1, &format!("id {word}")));
        writes.push(write(list_key(word, HIGHEST, word), 1, &format!("own {word}")));
        writes.push(write(list_key("a", HIGHEST, word), 1, &format!("shared {word}")));
    }
    store.flush(&view(1), rows(writes)).await.expect("written");
    let keys: Vec<_> = words.iter().map(|word| id_key(word, word)).collect();
    let found = store.get(&view(1), &keys).await.expect("readable");
    for (word, value) in words.iter().zip(found) {
        assert_eq!(value, Some(format!("id {word}").into_bytes()), "{word:?}");
        let own = Scan {
            partition: vec![word.as_str().into()],
            prefix: vec![HIGHEST.into(), word.as_str().into()],
            ..listed(Direction::Backward)
        };
        let found = store.scan(&view(1), &own).await.expect("readable");
        let expected = if word == "a" {
            "shared a"
        } else {
            &format!("own {word}")
        };
        assert_eq!(names(&found), [expected], "{word:?}");
    }
    let mut sorted = words.clone();
    sorted.sort();
    for direction in [Direction::Forward, Direction::Backward] {
        let (mut seen, mut after): (Vec<Row>, Option<Vec<KeyPart>>) = (Vec::new(), None);
        loop {
            let scan = Scan {
                after: after.clone(),
                limit: 3,
                ..listed(direction)
            };
            let page = store.scan(&view(1), &scan).await.expect("readable");
            let Some(last) = page.last() else { break };
            after = Some(last.clustering.clone());
            seen.extend(page);
        }
        let expected: Vec<Vec<KeyPart>> = sorted
            .iter()
            .map(|word| vec![HIGHEST.into(), word.as_str().into()])
            .collect();
        let seen: Vec<_> = seen.into_iter().map(|row| row.clustering).collect();
        assert_eq!(seen, expected, "as bytes, {direction:?}");
        sorted.reverse();
    }
}

/// At equal stamps the larger value wins: unsigned bytes from the left, and the longer of two that begin alike.
pub(super) async fn values_should_be_compared_byte_by_byte(store: &impl ViewStore) {
    let ordered: [&[u8]; 7] = [b"", b"\0", b"\0\0", b"\x7f", b"\x80", b"\xff", b"\xff\0"];
    let mut case = 0;
    for (i, low) in ordered.iter().enumerate() {
        for high in &ordered[i + 1..] {
            for order in [[low, high], [high, low]] {
                case += 1;
                let key = id_key("bytes", &case.to_string());
                for value in order {
                    let row = RowWrite {
                        value: value.to_vec(),
                        ..write(key.clone(), 5, "")
                    };
                    store.flush(&view(1), rows(vec![row])).await.expect("written");
                }
                let found = store.get(&view(1), &[key]).await.expect("readable");
                assert_eq!(found, vec![Some(high.to_vec())], "{order:?}");
            }
        }
    }
}

/// Ten thousand rows, every third of them removed, page by page in both directions.
pub(super) async fn long_partitions_should_be_read_both_ways(store: &impl ViewStore) {
    let key = |position: u64| RowKey {
        table: COUNTED.name,
        partition: vec![9u64.into()],
        clustering: vec![position.into()],
    };
    let all: Vec<u64> = (0..10_000).map(|n| n * 5).collect();
    for part in all.chunks(4_000) {
        let written = part.iter().map(|n| write(key(*n), 1, "x")).collect();
        store.flush(&view(1), rows(written)).await.expect("written");
        let removed = part.iter().filter(|n| *n % 3 == 0);
        let removed = removed.map(|n| write(key(*n), 2, "")).collect();
        store.flush(&view(1), rows(removed)).await.expect("removed");
    }
    let mut expected: Vec<u64> = all.into_iter().filter(|n| n % 3 != 0).collect();
    for direction in [Direction::Forward, Direction::Backward] {
        let (mut seen, mut after): (Vec<u64>, Option<Vec<KeyPart>>) = (Vec::new(), None);
        loop {
            let scan = Scan {
                table: COUNTED.name,
                partition: vec![9u64.into()],
                after: after.clone(),
                limit: 701,
                ..listed(direction)
            };
            let page = store.scan(&view(1), &scan).await.expect("readable");
            let Some(last) = page.last() else { break };
            assert!(
                page.len() == 701 || last.clustering == [KeyPart::Number(expected[expected.len() - 1])],
                "a page is short at the end only"
            );
            after = Some(last.clustering.clone());
            seen.extend(page.iter().map(|row| match row.clustering[..] {
                [KeyPart::Number(n)] => n,
                _ => panic!("another key"),
            }));
        }
        assert_eq!(seen, expected, "{direction:?}");
        expected.reverse();
    }
}
