//! Going back and forth gives the same run, whatever the way.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod random;

use random::{Random, load, scenario};
use sim::{Budgets, Options, Simulation};

/// What must be the same however one came here.
fn shown(simulation: &Simulation) -> (u64, u64, String, String) {
    let mut delta = simulation.delta(0);
    delta.revision = 0;
    let all = serde_json::to_string(&(delta, simulation.lanes())).unwrap();
    (simulation.hash(), simulation.n_events(), simulation.history_text(usize::MAX), all)
}

const MINUTES: i64 = 60_000;

#[test]
fn any_way_to_a_time_shows_the_same() {
    for seed in 0..6 {
        let mut random = Random(seed);
        let text = scenario(&mut random);
        let mut straight = load(&text);
        let mut times: Vec<i64> =
            (0..5).map(|_| i64::try_from(random.below(600_000)).unwrap()).collect();
        times.sort_unstable();
        let expected: Vec<_> = times
            .iter()
            .map(|at| {
                assert!(straight.run_until(*at, u64::MAX).reached, "{text}");
                shown(&straight)
            })
            .collect();
        straight.run_until(10 * MINUTES, u64::MAX);
        let end = shown(&straight);
        let mut wanderer = load(&text);
        wanderer.run_until(10 * MINUTES, u64::MAX);
        for _ in 0..12 {
            let at = usize::try_from(random.below(5)).unwrap();
            wanderer.seek(times[at], u64::MAX);
            assert_eq!(shown(&wanderer), expected[at], "seed {seed}, {} ms\n{text}", times[at]);
        }
        while wanderer.n_events() < end.1 {
            wanderer.step();
        }
        wanderer.seek(10 * MINUTES, u64::MAX);
        assert_eq!(shown(&wanderer), end, "seed {seed}");
    }
}

#[test]
fn stepping_back_undoes_one_event() {
    let text = scenario(&mut Random(7));
    let mut simulation = load(&text);
    let mut hashes = vec![simulation.hash()];
    for _ in 0..200 {
        simulation.step();
        hashes.push(simulation.hash());
    }
    for n in (0..200).rev() {
        assert!(simulation.step_back());
        assert_eq!(
            (simulation.n_events(), simulation.hash()),
            (n, hashes[usize::try_from(n).unwrap()])
        );
    }
    assert!(!simulation.step_back());
}

#[test]
fn a_page_that_follows_the_deltas_has_the_whole_picture() {
    use std::collections::BTreeMap;
    let mut random = Random(3);
    let text = scenario(&mut random);
    let mut simulation = load(&text);
    let mut pods = BTreeMap::new();
    let mut nodes = BTreeMap::new();
    let mut revision = 0;
    for _ in 0..60 {
        simulation.seek(i64::try_from(random.below(300_000)).unwrap(), u64::MAX);
        let delta = simulation.delta(revision);
        revision = delta.revision;
        if delta.full {
            pods.clear();
            nodes.clear();
        }
        for it in delta.removed {
            match it.kind.as_str() {
                "Pod" => drop(pods.remove(&(it.namespace, it.name))),
                "Node" => drop(nodes.remove(&it.name)),
                _ => {}
            }
        }
        pods.extend(delta.pods.into_iter().map(|it| ((it.namespace.clone(), it.name.clone()), it)));
        nodes.extend(delta.nodes.into_iter().map(|it| (it.name.clone(), it)));
        let whole = simulation.delta(0);
        assert_eq!(pods.values().cloned().collect::<Vec<_>>(), whole.pods);
        assert_eq!(nodes.values().cloned().collect::<Vec<_>>(), whole.nodes);
    }
}

#[test]
fn a_command_in_the_past_discards_the_future_and_can_be_undone() {
    let text = scenario(&mut Random(7));
    let mut simulation = load(&text);
    simulation.run_until(MINUTES, u64::MAX);
    assert_eq!(simulation.command("fail node minikube").forked, None);
    simulation.run_until(3 * MINUTES, u64::MAX);
    let before = shown(&simulation);
    simulation.seek(2 * MINUTES, u64::MAX);
    let fork = simulation.command("recover node minikube").forked.unwrap();
    assert_eq!((fork.at_ms, fork.horizon_ms, fork.actions.len()), (2 * MINUTES, 3 * MINUTES, 1));
    assert_eq!(simulation.state().horizon_ms, 2 * MINUTES);
    simulation.run_until(3 * MINUTES, u64::MAX);
    assert_ne!(simulation.hash(), before.0);
    simulation.set_actions(fork.actions).unwrap();
    simulation.run_until(fork.horizon_ms, u64::MAX);
    assert_eq!(shown(&simulation), before);
}

#[test]
fn a_run_with_commands_is_repeated_from_its_actions() {
    for seed in 0..6 {
        let mut random = Random(seed);
        let text = scenario(&mut random);
        let mut simulation = load(&text);
        for _ in 0..6 {
            for _ in 0..random.below(200) {
                simulation.step();
            }
            simulation.command(random.pick(&[
                "fail node worker-b",
                "recover node worker-b",
                "stop controller daemonset",
                "start controller daemonset",
            ]));
        }
        simulation.run_until(simulation.now_ms() + MINUTES, u64::MAX);
        let mut again = Simulation::load(
            &text,
            Options { actions: simulation.actions(), ..Options::default() },
        )
        .ok()
        .unwrap();
        again.run_until(simulation.now_ms(), u64::MAX);
        assert_eq!(shown(&again), shown(&simulation), "seed {seed}\n{text}");
    }
}

#[test]
fn a_far_goal_pauses_at_its_budget_and_goes_on_when_asked_again() {
    let text = scenario(&mut Random(3));
    let mut whole = load(&text);
    assert!(whole.run_until(10 * MINUTES, u64::MAX).reached, "{text}");
    let budget = whole.n_events() / 3 + 1;
    let budgets = Budgets { events_in_one_go: budget, ..Budgets::default() };
    let mut simulation = Simulation::load(&text, Options { budgets, ..Options::default() })
        .unwrap_or_else(|it| panic!("{it:?}"));
    let mut pauses = Vec::new();
    // Slices of one go share its budget.
    while !simulation.run_until(10 * MINUTES, budget / 2).reached {
        if simulation.is_paused() {
            let notice = simulation.state().notices.swap_remove(0);
            assert_eq!(notice.code, "budget");
            assert!(notice.message.contains("short of 10m0s"), "{}", notice.message);
            pauses.push(simulation.n_events());
        }
    }
    assert_eq!(pauses, [budget, 2 * budget]);
    assert!(simulation.stopped().is_none());
    assert_eq!(shown(&simulation), shown(&whole));
    // A nearer goal is a new one.
    simulation.seek(0, u64::MAX);
    assert_eq!(simulation.run_until(10 * MINUTES, u64::MAX).n_events, budget);
    assert!(simulation.seek(MINUTES, u64::MAX).reached && simulation.stopped().is_none());
}
