//! Resizes in place: who gets room, who waits, who is started anew.

use super::*;

fn with_requests(name: &str, cpu: &str, priority: i32) -> Object {
    let mut it = spec("Always");
    it["priority"] = priority.into();
    it["containers"][0]["resources"] = serde_json::json!({"requests": {"cpu": cpu}});
    it["containers"][0]["resizePolicy"] = serde_json::json!([
        {"resourceName": "memory", "restartPolicy": "RestartContainer"},
    ]);
    let Object::Pod(pod) = pod(name, it, &[]) else { panic!() };
    let mut pod = (*pod).clone();
    pod.metadata.generation = Some(1);
    pod.into_object()
}

fn resize(bench: &mut Bench, name: &str, resource: &str, amount: &str) {
    bench.edit::<Pod>("default", name, |it| {
        it.metadata.generation = it.metadata.generation.map(|it| it + 1);
        let container = &mut it.spec.as_mut().unwrap().containers[0];
        let requests = container.resources.as_mut().unwrap().requests.as_mut().unwrap();
        let amount = serde_json::from_value(amount.into()).unwrap();
        requests.insert(resource.to_owned(), amount);
    });
}

/// The conditions of resizes, and what the container asks for, is granted and has of the cpu.
fn shown(bench: &Bench, name: &str) -> String {
    let pod = Listers(&bench.objects).get::<Pod>("default", name).unwrap();
    let status = pod.status.as_ref().unwrap();
    let conditions = status.conditions.iter().flatten();
    let conditions = conditions.filter(|it| it.type_.starts_with("PodResize")).map(|it| {
        let reason = it.reason.as_deref().unwrap_or_default();
        format!("{} {reason} @{} ", it.type_, it.observed_generation.unwrap())
    });
    let asked = &pod.spec.as_ref().unwrap().containers[0].resources.as_ref().unwrap().requests;
    let container = &status.container_statuses.as_ref().unwrap()[0];
    let has = container.resources.as_ref().and_then(|it| it.requests.as_ref());
    let cpu = [asked.as_ref(), container.allocated_resources.as_ref(), has]
        .map(|it| it.map_or("-", |it| &it["cpu"].0))
        .join(" ");
    conditions.collect::<String>() + &cpu
}

#[test]
fn a_resize_is_granted_and_seen_to_be_done_a_second_later() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(with_requests("p", "1", 0));
    bench.run_to(10);
    assert_eq!(shown(&bench, "p"), "1 - -");
    bench.lines.clear();
    resize(&mut bench, "p", "cpu", "2");
    bench.run_to(10);
    assert_eq!(shown(&bench, "p"), "PodResizeInProgress  @2 2 2 1");
    bench.run_to(20);
    assert_eq!(shown(&bench, "p"), "2 2 2");
    bench.check(
        r#"10 ResizeStarted: Pod resize started: {"containers":[{"name":"c","resources":{"requests":{"cpu":"2"}}}],"generation":2}
           10 p Running ready c=running
           11 ResizeCompleted: Pod resize completed: {"containers":[{"name":"c","resources":{"requests":{"cpu":"2"}}}],"generation":2}
           11 p Running ready c=running"#,
    );
}

#[test]
fn a_container_is_started_anew_for_what_says_so() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(with_requests("p", "1", 0));
    bench.run_to(10);
    bench.lines.clear();
    resize(&mut bench, "p", "memory", "1Gi");
    bench.run_to(60);
    bench.lines.retain(|it| !it.contains("Resize"));
    bench.check(
        "10 Killing: Container c resize requires restart
         10 p Running ready c=running
         11 p Running ready c=runningx1
         12 p Running ready c=runningx1",
    );
}

#[test]
fn a_resize_without_room_waits_until_there_is_some() {
    let mut bench = Bench::new(&["n1"]);
    for (name, cpu, priority) in [("a", "2", 0), ("low", "1", 0), ("high", "1", 7)] {
        bench.put(with_requests(name, cpu, priority));
    }
    bench.run_to(10);
    bench.lines.clear();
    resize(&mut bench, "low", "cpu", "2");
    bench.run_to(20);
    resize(&mut bench, "high", "cpu", "3");
    bench.run_to(30);
    assert_eq!(shown(&bench, "low"), "PodResizePending Deferred @2 2 1 1");
    assert_eq!(shown(&bench, "high"), "PodResizePending Deferred @2 3 1 1");
    // Room for either: priority counts, not who came first.
    delete(&mut bench, "a", 30);
    bench.run_to(40);
    assert_eq!(shown(&bench, "high"), "3 3 3");
    assert_eq!(shown(&bench, "low"), "PodResizePending Deferred @2 2 1 1");
    // Who takes back what it asked for no longer waits, and has not been resized.
    resize(&mut bench, "low", "cpu", "1");
    bench.run_to(50);
    assert_eq!(shown(&bench, "low"), "1 1 1");
    let resizes: Vec<&String> = bench.lines.iter().filter(|it| it.contains(" Resize")).collect();
    let told = |low: bool, text: &str| {
        let (cpu, generation) = if low { ("2", 2) } else { ("3", 2) };
        let error = match text.split_once('|') {
            Some((_, error)) => format!(",\"error\":\"{error}\""),
            None => String::new(),
        };
        let text = text.split('|').next().unwrap();
        format!(
            "{text}: {{\"containers\":[{{\"name\":\"c\",\"resources\":{{\"requests\":{{\"cpu\":\"{cpu}\"}}}}}}],\"generation\":{generation}{error}}}"
        )
    };
    let short = "Node didn't have enough resource: cpu, requested:";
    assert_eq!(
        resizes,
        [
            &told(
                true,
                &format!(
                    "10 ResizeDeferred: Pod resize OutOfcpu|{short} 2000, used: 3000, capacity: 4000"
                )
            ),
            &told(
                false,
                &format!(
                    "20 ResizeDeferred: Pod resize OutOfcpu|{short} 3000, used: 3000, capacity: 4000"
                )
            ),
            &told(false, "31 ResizeStarted: Pod resize started"),
            &told(false, "32 ResizeCompleted: Pod resize completed"),
        ]
    );
}

/// Rows: what happens at 20 or 21, and from when on the resize that waits since 10 is granted.
#[test]
fn who_ends_or_shrinks_gives_room_and_after_three_minutes_one_tries_anyway() {
    for (event, granted) in [("end", 21), ("shrink", 20), ("larger node", 190)] {
        let mut bench = Bench::new(&["n1"]);
        let Object::Pod(other) = with_requests("other", "3", 0) else { panic!() };
        let mut other = (*other).clone();
        if event == "end" {
            other.spec.as_mut().unwrap().restart_policy = Some("Never".to_owned());
            let annotations = other.metadata.annotations.as_mut().unwrap();
            annotations.insert("sim.orrery.dev/duration".to_owned(), "20s".to_owned());
        }
        bench.put(other.into_object());
        bench.put(with_requests("p", "1", 0));
        bench.run_to(10);
        resize(&mut bench, "p", "cpu", "2");
        let mut now = 20;
        bench.run_to(now);
        match event {
            "shrink" => resize(&mut bench, "other", "cpu", "2"),
            // Nobody tries for that.
            "larger node" => bench.edit::<Node>("", "n1", |it| {
                let cpu = || serde_json::from_value("8".into()).unwrap();
                let amounts = it.status.as_mut().unwrap().allocatable.as_mut().unwrap();
                amounts.insert("cpu".to_owned(), cpu());
            }),
            _ => {}
        }
        bench.run_to(now);
        while shown(&bench, "p").contains("Pending") && now < 300 {
            now += 1;
            bench.run_to(now);
        }
        assert_eq!(now, granted, "{event}");
    }
}
