//! Images that have to be pulled.

use super::*;

#[test]
fn an_image_that_cannot_be_pulled_is_tried_ever_later_until_it_can() {
    let mut bench = Bench::new(&["n1"]);
    bench.put(pod("p", spec("Always"), &[("image-pull", "fail")]));
    bench.run_to(40);
    bench.edit::<Pod>("default", "p", |it| {
        let annotations = it.metadata.annotations.as_mut().unwrap();
        annotations.insert("sim.orrery.dev/image-pull".into(), "3s".into());
    });
    bench.run_to(100);
    let full = "docker.io/library/busybox:latest";
    let error = format!(
        "Failed: Failed to pull image \"busybox\": rpc error: code = NotFound desc = failed to pull and \
         unpack image \"{full}\": failed to resolve reference \"{full}\": {full}: not found"
    );
    bench.check(&format!(
        "0 p Pending - c=ContainerCreating
         1 Pulling: Pulling image \"busybox\"
         1 {error}
         1 Failed: Error: ErrImagePull
         1 p Pending - c=ErrImagePull
         11 Pulling: Pulling image \"busybox\"
         11 {error}
         11 Failed: Error: ErrImagePull
         21 BackOff: Back-off pulling image \"busybox\"
         21 Failed: Error: ImagePullBackOff
         21 p Pending - c=ImagePullBackOff
         31 Pulling: Pulling image \"busybox\"
         31 {error}
         31 Failed: Error: ErrImagePull
         31 p Pending - c=ErrImagePull
         41 BackOff: Back-off pulling image \"busybox\"
         41 Failed: Error: ImagePullBackOff
         41 p Pending - c=ImagePullBackOff
         51 BackOff: Back-off pulling image \"busybox\"
         51 Failed: Error: ImagePullBackOff
         61 BackOff: Back-off pulling image \"busybox\"
         61 Failed: Error: ImagePullBackOff
         71 Pulling: Pulling image \"busybox\"
         71 p Pending - c=ContainerCreating
         74 p Running ready c=running"
    ));
}

#[test]
fn containers_wait_for_their_own_images_and_a_deleted_pod_for_none() {
    let mut bench = Bench::new(&["n1"]);
    let mut it = spec("Always");
    it["containers"] =
        serde_json::json!([{"name": "a", "image": "a"}, {"name": "b", "image": "b"}]);
    bench.put(pod("p", it.clone(), &[("image-pull.a", "5s")]));
    bench.run_to(10);
    bench.put(pod("q", it, &[("image-pull.a", "fail")]));
    bench.run_to(20);
    delete(&mut bench, "q", 30);
    bench.run_to(60);
    let states: Vec<&String> =
        bench.lines.iter().filter(|it| it.contains(" p ") || it.contains(" q ")).collect();
    assert_eq!(
        states,
        [
            "0 p Pending - a=ContainerCreating b=ContainerCreating",
            "1 p Pending - a=ContainerCreating b=running",
            "6 p Running ready a=running b=running",
            "10 q Pending - a=ContainerCreating b=ContainerCreating",
            "11 q Pending - a=ErrImagePull b=running",
            "20 q Pending - a=ContainerCreating b=running",
            "21 q Failed - a=ContainerStatusUnknown(137) b=Error(143)",
        ]
    );
}
