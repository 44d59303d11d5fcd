//! A machine whose Node object is deleted.

use super::*;

fn delete_node(bench: &mut Bench, name: &str) {
    let old = bench.objects.remove(&ObjectRef::new(Kind::Node, "", name));
    assert!(old.is_some(), "there is a node to delete");
    bench.changed(old, None);
}

fn add_node(bench: &mut Bench, name: &str) {
    let mut it = Node::default();
    it.metadata.name = Some(name.to_owned());
    bench.put(it.into_object());
}

#[test]
fn its_pods_end_stop_and_restart_as_before_and_new_ones_start() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(pod("ends", spec("Never"), &[("duration", "9s")]));
    bench.put(pod("again", spec("Always"), &[("duration", "7s"), ("exit-code", "1")]));
    bench.put(pod("stops", spec("Always"), &[]));
    bench.run_to(5);
    bench.lines.clear();
    delete_node(&mut bench, "n1");
    bench.run_to(6);
    delete(&mut bench, "stops", 30);
    bench.put(pod("late", spec("Always"), &[]));
    bench.run_to(12);
    bench.check(
        "6 late Pending - c=ContainerCreating
         6 Killing: Stopping container c
         7 late Running ready c=running
         7 stops Failed - c=Error(143)
         7 Pod default/stops deleted
         8 again Running - c=Error(1)
         9 again Running ready c=runningx1
         10 ends Succeeded - c=Completed(0)",
    );
}

#[test]
fn where_the_object_comes_back_nothing_is_started_anew() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(pod("p", spec("Always"), &[("duration", "20s")]));
    bench.run_to(5);
    bench.lines.clear();
    delete_node(&mut bench, "n1");
    bench.run_to(10);
    add_node(&mut bench, "n1");
    bench.run_to(22);
    bench.check(
        "21 p Running - c=Completed(0)
         22 p Running ready c=runningx1",
    );
    let leases: Vec<&Lease> = Listers(&bench.objects).list::<Lease>().collect();
    let renewed = leases[0].spec.as_ref().unwrap().renew_time.as_ref().unwrap();
    assert_eq!((leases.len(), renewed.0.as_second()), (1, 10), "the new object has a lease");
}

#[test]
fn a_node_that_was_cut_off_says_nothing_until_a_new_object_is_there() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(pod("p", spec("Never"), &[("duration", "9s")]));
    bench.run_to(5);
    bench.lines.clear();
    bench.annotate_node("n1", "failed", Some("true"));
    bench.run_to(6);
    delete_node(&mut bench, "n1");
    bench.run_to(30);
    bench.check("");
    add_node(&mut bench, "n1");
    bench.run_to(31);
    bench.check("30 p Succeeded - c=Completed(0)");
}

#[test]
fn a_pod_of_a_node_that_never_was_does_not_run() {
    let mut bench = Bench::new(&["n2"]);
    bench.put(pod("p", spec("Always"), &[]));
    bench.run_to(30);
    bench.check("");
}
