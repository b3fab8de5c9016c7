//! Pages and their cursors.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_should_go_on_where_they_stopped_and_refuse_other_cursors() {
    let world = World::start().await;
    let me = world.reader().await;
    let stranger = world.reader().await;
    for name in ["Alpha", "Beta", "Gamma"] {
        world.vault(&me, name).await;
    }
    world.settled().await;
    let first = world
        .ask(&me, VAULTS, json!({ "first": 2, "sort": "name" }))
        .await;
    assert_eq!(names(&first), ["Alpha", "Beta"]);
    let info = &first["data"]["vaults"]["pageInfo"];
    assert_eq!(
        (&info["hasNextPage"], &info["hasPreviousPage"]),
        (&json!(true), &json!(false))
    );
    let after = info["endCursor"].clone();
    let second = world
        .ask(&me, VAULTS, json!({ "first": 2, "sort": "name", "after": after }))
        .await;
    assert_eq!(names(&second), ["Gamma"]);
    assert_eq!(second["data"]["vaults"]["pageInfo"]["hasNextPage"], false);
    let other_sort = world
        .ask(
            &me,
            VAULTS,
            json!({ "first": 2, "sort": "newest", "after": after }),
        )
        .await;
    assert_eq!(code(&other_sort), "cursor-invalid");
    let stolen = world
        .ask(
            &stranger,
            VAULTS,
            json!({ "first": 2, "sort": "name", "after": after }),
        )
        .await;
    assert_eq!(code(&stolen), "cursor-invalid", "a cursor belongs to its tenant");
    let prefix = json!({ "first": 5, "sort": "name", "filter": { "namePrefix": "be" } });
    assert_eq!(names(&world.ask(&me, VAULTS, prefix).await), ["Beta"]);
    for bad in [0, -1, 201] {
        let refused = world.ask(&me, VAULTS, json!({ "first": bad })).await;
        assert_eq!(
            (code(&refused), &refused["errors"][0]["extensions"]["field"]),
            ("invalid-field", &json!("first"))
        );
    }
    let no_asset = world
        .ask(&me, VAULTS, json!({ "first": 5, "sort": "balance" }))
        .await;
    assert_eq!(no_asset["errors"][0]["extensions"]["field"], "sortAsset");
}
