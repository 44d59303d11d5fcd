//! Tables of texts with what is found in them.

use view::Severity;

use super::{Body, Reading, Refusal, read};
use crate::Kind;

/// Each problem as `line:column severity code path: message [hint] {replacement}`.
fn problems(reading: &Reading) -> Vec<String> {
    let rows = reading.diagnostics.iter().map(|it| {
        let hint = it.hint.as_ref().map(|hint| format!(" [{hint}]")).unwrap_or_default();
        let fix = it.replacement.as_ref().map(|fix| format!(" {{{fix}}}")).unwrap_or_default();
        let at = it.span.start;
        let severity = match it.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        let place = format!("{}:{}", at.line, at.column);
        format!("{place} {severity} {} {}: {}{hint}{fix}", it.code, it.path, it.message)
    });
    rows.collect()
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(problems(&read(text)), expected, "{text}");
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: app\n    image: nginx\n";

#[test]
fn the_manifests_of_the_book_are_read() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/manifests");
    let mut n_documents = 0;
    for folder in std::fs::read_dir(root).unwrap().map(|it| it.unwrap().path()) {
        if !folder.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
            let reading = read(&std::fs::read_to_string(&file).unwrap());
            n_documents += reading.documents.len();
            if file.ends_with("scheduler-policy.json") {
                let [problem] = &reading.diagnostics[..] else { panic!("{reading:?}") };
                assert_eq!(problem.code, "removed");
                let translation = problem.replacement.as_deref().unwrap();
                assert!(translation.contains("- name: NodeResourcesFit\n        weight: 2\n"));
                let again = read(translation);
                assert!(matches!(again.documents[0].body, Body::SchedulerConfiguration(_)));
            } else {
                assert_eq!(problems(&reading), [""; 0], "{}", file.display());
            }
        }
    }
    assert_eq!(n_documents, 15);
}

#[test]
fn all_problems_of_a_text_are_found_at_once() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: 12\nspec:\n  containers:\n  - name: app\n    \
                imgae: x\n    ports:\n    - containerPort: '80'\n    resources:\n      request:\n        \
                cpu: 1\n      limits:\n        cpu: abc\n    command: date\n  hostNetwork: yes please\n  \
                nodeSelector:\n    a: y\n";
    check(
        text,
        &[
            "4:9 error wrong-type metadata.name: json: cannot unmarshal number into Go struct field \
             ObjectMeta.metadata.name of type string [put it in quotes] {\"12\"}",
            "8:5 error unknown-field spec.containers[0].imgae: unknown field \
             \"spec.containers[0].imgae\" [did you mean \"image\"?] {image}",
            "10:22 error wrong-type spec.containers[0].ports[0].containerPort: json: cannot unmarshal \
             string into Go struct field ContainerPort.spec.containers.ports.containerPort of type \
             int32 [remove the quotes] {80}",
            "12:7 error unknown-field spec.containers[0].resources.request: unknown field \
             \"spec.containers[0].resources.request\" [did you mean \"requests\"?] {requests}",
            "15:14 error bad-quantity spec.containers[0].resources.limits.cpu: quantities must match \
             the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$' [write a number \
             with a unit such as 500m, 2, 128Mi, 1Gi]",
            "16:14 error wrong-type spec.containers[0].command: json: cannot unmarshal string into Go \
             struct field Container.spec.containers.command of type []string [a list is wanted here]",
            "17:16 error wrong-type spec.hostNetwork: json: cannot unmarshal string into Go struct \
             field PodSpec.spec.hostNetwork of type bool [true or false is wanted here, without \
             quotes]",
            "19:8 error wrong-type spec.nodeSelector.a: json: cannot unmarshal bool into Go struct \
             field PodSpec.spec.nodeSelector of type string [YAML reads y as true: put it in quotes] \
             {\"y\"}",
        ],
    );
}

#[test]
fn texts_that_are_no_yaml_are_answered_at_the_right_place() {
    let check = |text: &str, place: (u32, u32), message: &str, kubectl: &str| {
        let reading = read(text);
        let [problem] = &reading.diagnostics[..] else { panic!("{text:?} {reading:?}") };
        let at = problem.span.start;
        assert_eq!(problem.message, message, "{text:?}");
        assert_eq!((at.line, at.column), place, "{text:?}");
        assert_eq!(reading.stop.unwrap().message, kubectl, "{text:?}");
    };
    check(
        "apiVersion: v1\nkind: Pod\nmetadata:\n\tname: web\n",
        (4, 1),
        "found character that cannot start any token",
        "error converting YAML to JSON: yaml: line 4: found character that cannot start any token",
    );
    check(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n labels:\n  a: b\n",
        (5, 2),
        "did not find expected key",
        "error converting YAML to JSON: yaml: line 4: did not find expected key",
    );
    check(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web\n",
        (4, 1),
        "did not find expected ',' or '}'",
        "error converting YAML to JSON: yaml: line 3: did not find expected ',' or '}'",
    );
    check(
        "a: 1\u{0}\n",
        (1, 5),
        "control characters are not allowed",
        "error converting YAML to JSON: yaml: control characters are not allowed",
    );
    check(
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"}\n",
        (2, 1),
        "did not find expected ',' or '}'",
        "unexpected EOF",
    );
    check(
        "kind: Job\nspec: *x\n",
        (2, 7),
        "unknown anchor 'x' referenced",
        "error converting YAML to JSON: yaml: unknown anchor 'x' referenced",
    );
    check(
        "# none\n--- # b: 2\n--- b: 2\n",
        (3, 1),
        "invalid Yaml document separator",
        "invalid Yaml document separator: b: 2",
    );
}

/// What kubectl says of a text that is neither JSON nor YAML, after how many documents.
#[test]
fn a_text_is_json_as_far_as_it_goes_and_then_yaml() {
    let map = |name: &str| {
        format!(
            "{{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{{\"name\":\"{name}\"}}}}"
        )
    };
    let (a, b) = (map("a"), map("b"));
    let yaml = "error converting YAML to JSON: yaml: ";
    let rows = [
        (
            format!("{a}}}"),
            1,
            "json: offset 63: invalid character '}' looking for beginning of value".to_owned(),
        ),
        (
            format!("{a}\n{b}\n}}"),
            2,
            "invalid character '}' looking for beginning of value".to_owned(),
        ),
        (
            format!("{a}\n---\nkind: x: y\n"),
            1,
            "json: offset 65: invalid character '-' in numeric literal".to_owned(),
        ),
        (
            a.replace("\"v1\",", "\"v1\" "),
            0,
            "json: offset 20: invalid character '\"' after object key:value pair".to_owned(),
        ),
        (
            format!("{POD}    args: \"x\n"),
            0,
            format!("{yaml}line 10: found unexpected end of stream"),
        ),
        (
            format!("{POD}    args: \"x\" y\n"),
            0,
            format!("{yaml}line 8: did not find expected key"),
        ),
        (
            format!("{POD}    args: [\"x\" y]\n"),
            0,
            format!("{yaml}line 8: did not find expected ',' or ']'"),
        ),
        (format!("{POD}    args: [x]]\n"), 0, format!("{yaml}line 8: did not find expected key")),
    ];
    for (text, n_documents, expected) in rows {
        let reading = read(&text);
        let stop = reading.stop.as_ref().map(|it| it.message.as_str());
        assert_eq!((reading.documents.len(), stop), (n_documents, Some(&*expected)), "{text}");
    }
    let reading = read(&a.replace('"', "'"));
    assert_eq!((reading.documents.len(), reading.stop), (1, None));
}

#[test]
fn hostile_texts_are_answered_quickly() {
    let nested = format!("a: {}{}", "[".repeat(1_000), "]".repeat(1_000));
    check(&nested, &["1:259 error limit : exceeded max depth of 100"]);
    let block: String = (0..1_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    check(&block, &["101:101 error limit : exceeded max depth of 100"]);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let items = vec![format!("*a{}", n - 1); 9].join(", ");
        bomb.push_str(&format!("a{n}: &a{n} [{items}]\n"));
    }
    let reading = read(&bomb);
    assert_eq!(reading.diagnostics[0].message, "document contains excessive aliasing");
    let huge = "a: b\n".repeat(2_000_000);
    assert_eq!(read(&huge).diagnostics[0].code, "too-large");
    let many = "---\na: b\n".repeat(30_000);
    assert_eq!(read(&many).diagnostics[0].code, "too-many-documents");
}

#[test]
fn what_is_no_object_is_said_to_be_none() {
    check("", &["1:1 info empty : no objects passed to create"]);
    check("# only a comment\n", &["1:1 info empty : no objects passed to create"]);
    let wanted = "[a Kubernetes object is wanted here, which begins with apiVersion and kind]";
    let text = format!("1:1 error not-an-object : invalid object to validate {wanted}");
    check("hello world\n", &[&text]);
    check("42\n", &[&text]);
    let hint = "[every object begins with apiVersion and kind, such as `apiVersion: v1` and \
                `kind: Pod`]";
    check(
        "a: b\n",
        &[&format!("1:1 error missing-kind : apiVersion not set, kind not set {hint}")],
    );
}

#[test]
fn unknown_kinds_come_with_advice() {
    let check = |api_version: &str, kind: &str, hint: &str| {
        let reading = read(&format!("apiVersion: {api_version}\nkind: {kind}\n"));
        let [problem] = &reading.diagnostics[..] else { panic!("{reading:?}") };
        let expected = format!("no matches for kind {kind:?} in version {api_version:?}");
        assert_eq!((problem.message.as_str(), problem.hint.as_deref()), (&*expected, Some(hint)));
    };
    check("v1", "Foo", "ensure CRDs are installed first");
    check("batch/v1beta1", "CronJob", "CronJob is of apiVersion batch/v1");
    check("apps/v1", "Job", "Job is of apiVersion batch/v1");
    check("v1", "Pods", "did you mean \"Pod\"?");
    check(
        "networking.k8s.io/v1",
        "Ingress",
        "Ingress is a kind of Kubernetes that is not simulated here",
    );
    let reading = read("apiVersion: v1\nkind: pod\n");
    let expected = "pod in version \"v1\" cannot be handled as a Pod: no kind \"pod\" is registered for version \"v1\" in scheme \
                    \"pkg/api/legacyscheme/scheme.go:30\"";
    assert_eq!(reading.documents[0].refusal, Some(Refusal::BadRequest(expected.to_owned())));
}

#[test]
fn what_is_no_yaml_is_refused_in_the_words_of_go_yaml() {
    let rows = [
        ("a: [b\n", "yaml: line 1: did not find expected ',' or ']'"),
        ("x: 1\na: [b\nc: d\n", "yaml: line 2: did not find expected ',' or ']'"),
        ("x: 1\na: {b\nc: d\n", "yaml: line 2: did not find expected ',' or '}'"),
        ("x:\n  a: {b: c #}\n", "yaml: line 2: did not find expected ',' or '}'"),
        ("a: ]\n", "yaml: did not find expected node content"),
        ("x: 1\na: [,]\n", "yaml: line 1: did not find expected node content"),
        ("a: @b\n", "yaml: found character that cannot start any token"),
        ("x: 1\na: @b\n", "yaml: line 2: found character that cannot start any token"),
        ("\ta: b\n", "yaml: found character that cannot start any token"),
        ("x:\n  \ta: b\n", "yaml: line 2: found character that cannot start any token"),
        ("a: b\n\tc: d\n", "yaml: line 2: found a tab character that violates indentation"),
        ("a: \"\\x\"\n", "yaml: did not find expected hexdecimal number"),
        ("%YAML 1.2\n---\na: b\n", "yaml: found incompatible YAML document"),
        ("%FOO\n---\na: b\n", "yaml: found unknown directive name"),
        ("a: &a [*a]\n", "yaml: anchor 'a' value contains itself"),
        ("[a, 1]: b\n", "yaml: invalid map key: []interface {}{\"a\", 1}"),
        ("? {a: b}\n: c\n", "yaml: invalid map key: map[interface {}]interface {}{\"a\":\"b\"}"),
        ("~: a\n", "unsupported map key of type: %!s(<nil>), key: <nil>, value: \"a\""),
        ("a: -.inf\n", "json: unsupported value: -Inf"),
    ];
    for (text, words) in rows {
        let stop = read(text).stop.map(|it| it.message);
        assert_eq!(stop, Some(format!("error converting YAML to JSON: {words}")), "{text}");
    }
    // A tab between a key and its value, or in brackets, indents nothing.
    for text in ["a: \tb\n", "a: |\n  b\n  \tc\n"] {
        assert_eq!(read(text).stop, None, "{text}");
    }
}

#[test]
fn documents_before_a_syntax_error_are_used() {
    let reading = read(&format!("{POD}---\na: b: c\n---\n{POD}"));
    assert_eq!(reading.documents.len(), 1);
    assert_eq!(reading.diagnostics[0].span.start.line, 10);
    assert!(reading.stop.unwrap().message.contains("yaml: mapping values"));
}

#[test]
fn lists_streams_and_aliases_become_objects() {
    let kinds = |text: &str| -> Vec<Option<Kind>> {
        let reading = read(text);
        assert_eq!(problems(&reading), [""; 0], "{text}");
        reading.documents.iter().map(|it| it.object().map(|it| it.kind())).collect()
    };
    let (pod, map) = (Some(Kind::Pod), Some(Kind::ConfigMap));
    assert_eq!(kinds(&format!("---\n{POD}---\n# none\n---\n{POD}")), [pod, pod]);
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap}\n";
    assert_eq!(kinds(list), [map]);
    assert_eq!(
        kinds("apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: a}}]\n"),
        [map]
    );
    assert_eq!(
        kinds(
            "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}\n{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}"
        ),
        [map, pod]
    );
    assert_eq!(kinds("{'apiVersion': v1, kind: ConfigMap,}"), [map]);
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels: &l {a: b}\n  \
                annotations:\n    <<: *l\n    c: d\n";
    let reading = read(text);
    let meta = reading.documents[0].object().unwrap().meta();
    assert_eq!(format!("{:?}", meta.annotations), "Some({\"a\": \"b\", \"c\": \"d\"})");
}

#[test]
fn a_key_that_stands_twice_is_warned_of_and_the_last_wins() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\n";
    check(
        text,
        &[
            "4:3 warning duplicate-key name: key \"name\" already set in map [the last one is used, \
           this one is ignored]",
        ],
    );
    assert_eq!(read(text).documents[0].object().unwrap().name(), "b");
}

#[test]
fn fields_have_places() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n    a.b/c: d\nspec:\n  \
                containers:\n  - name: app\n    image: nginx\n  nodeSelector: {a: b}\n";
    let reading = read(text);
    let place = |path: &str| {
        let span = reading.documents[0].span_of(path);
        let line = text.lines().nth(span.start.line as usize - 1).unwrap();
        &line[span.start.column as usize - 1..span.end.column as usize - 1]
    };
    assert_eq!(place("spec.containers[0].image"), "nginx");
    assert_eq!(place("metadata.annotations[a.b/c]"), "d");
    assert_eq!(place("metadata.annotations.a.b/c"), "d");
    assert_eq!(place("spec.nodeSelector[a]"), "b");
    assert_eq!(place("spec.containers"), "containers");
    assert_eq!(place("spec.restartPolicy"), "spec");
}

#[test]
fn numbers_are_read_as_go_reads_them() {
    let text = "apiVersion: batch/v1\nkind: Job\nspec:\n  parallelism: 1e1\n  completions: 5.0\n  \
                backoffLimit: 1.5\n  activeDeadlineSeconds: 0x10\n  suspend: off\n";
    let reading = read(text);
    assert_eq!(
        reading.documents[0].refusal,
        Some(Refusal::BadRequest(
            "Job in version \"v1\" cannot be handled as a Job: json: cannot unmarshal number 1.5 into \
             Go struct field JobSpec.spec.backoffLimit of type int32"
                .to_owned()
        ))
    );
}

#[test]
fn a_scenario_is_read_with_its_steps() {
    let text = "apiVersion: sim.orrery.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n  \
                seed: 7\n  start: 2026-03-01T00:00:00Z\n  preset: three-zones\n  until: 10m\n  \
                settings: {schedulingLatency: 5ms}\n  steps:\n  - at: 90s\n    do: fail node n1\n  \
                - {at: 2m, apply: {apiVersion: v1, kind: Pod}}\n";
    let reading = read(text);
    assert_eq!(problems(&reading), [""; 0]);
    let Body::Scenario(scenario) = &reading.documents[0].body else { panic!("{reading:?}") };
    assert_eq!(scenario.spec.steps[0].at.as_secs(), 90);
    assert_eq!(scenario.spec.settings.scheduling_latency.unwrap().as_millis(), 5);
    check(
        "apiVersion: sim.orrery.dev/v1alpha1\nkind: Scenario\nspec:\n  presett: x\n",
        &["4:3 error unknown-field spec.presett: unknown field \"spec.presett\" [did you mean \
           \"preset\"?] {preset}"],
    );
    check(
        "apiVersion: sim.orrery.dev/v1alpha1\nkind: Scenario\nspec:\n  steps:\n  - at: soon\n",
        &["5:9 error bad-value spec.steps[0].at: time: invalid duration \"soon\""],
    );
}

#[test]
fn a_bad_value_is_told_once_at_its_place() {
    check(
        "apiVersion: v1\nkind: ConfigMap\nbinaryData:\n  b: not base64!\n",
        &["4:6 error bad-value binaryData.b: illegal base64 data at input byte 3"],
    );
    check(
        "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: a\n    ports:\n    - \
         containerPort: 1\n    livenessProbe:\n      httpGet: {port: true}\n",
        &["9:23 error wrong-type spec.containers[0].livenessProbe.httpGet.port: json: cannot \
           unmarshal bool into Go struct field \
           HTTPGetAction.spec.containers.livenessProbe.ProbeHandler.httpGet.port of type int32 \
           [a whole number is wanted here]"],
    );
    check(
        "apiVersion: v1\nkind: Secret\ndata: {a: 1}\n",
        &["3:11 error wrong-type data.a: json: cannot unmarshal number into Go struct field \
           Secret.data of type []uint8 [put it in quotes] {\"1\"}"],
    );
    check(
        "apiVersion: v1\nkind: Secret\ndata: {a: YQ}\n",
        &["3:11 error bad-value data.a: illegal base64 data at input byte 0"],
    );
    check(
        "apiVersion: v1\nkind: PersistentVolume\nspec: {nfs: {path: 1}}\n",
        &[
            "3:20 error wrong-type spec.nfs.path: json: cannot unmarshal number into Go struct field \
           NFSVolumeSource.spec.PersistentVolumeSource.nfs.path of type string [put it in quotes] \
           {\"1\"}",
        ],
    );
}

#[test]
fn times_of_leases_have_six_digits_after_the_point() {
    for (time, mistake) in [
        ("2026-01-01T00:00:00.123456Z", None),
        ("2026-01-01T00:00:00.123456+02:00", None),
        ("2026-01-01T00:00:00Z", Some("\"Z\" as \".000000\"")),
        ("2026-01-01T00:00:00.5Z", Some("\".5Z\" as \".000000\"")),
        ("2026-01-01T00:00:00.123456789Z", Some("\"789Z\" as \"Z07:00\"")),
        ("0", Some("\"0\" as \"2006\"")),
    ] {
        let text = format!(
            "apiVersion: coordination.k8s.io/v1\nkind: Lease\nspec:\n  renewTime: \"{time}\"\n"
        );
        let expected = mistake.map(|it| {
            format!(
                "4:14 error bad-time spec.renewTime: parsing time \"{time}\" as \
                 \"2006-01-02T15:04:05.000000Z07:00\": cannot parse {it} [write a time such as \
                 2026-01-01T00:00:00Z]"
            )
        });
        check(&text, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    }
    // Other times may have as many as they like.
    let pod =
        POD.replace("  name: web\n", "  name: web\n  creationTimestamp: 2026-01-01T00:00:00.5Z\n");
    check(&pod, &[]);
}

/// Texts near to real ones: cut, repeated, with characters that mean something to YAML put in.
#[test]
fn mangled_texts_are_read_without_a_panic_and_problems_lie_inside_them() {
    const BITS: [&str; 24] = [
        "\t",
        "\n",
        " ",
        "  - ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "'",
        "\"",
        "|\n",
        ">-\n",
        "&a ",
        "*a",
        "<<: ",
        "---\n",
        "...\n",
        "%",
        "@",
        "!!int ",
        "\u{0}",
        "\u{1F980}",
        "#",
    ];
    // A small generator with fixed numbers: the same texts each time.
    let mut state = 42_u64;
    let mut random = move |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    for _ in 0..3_000 {
        let mut chars: Vec<char> = POD.chars().collect();
        for _ in 0..=random(6) {
            let at = random(chars.len());
            match random(4) {
                0 => chars.truncate(at),
                1 => drop(chars.drain(at..(at + random(9)).min(chars.len()))),
                2 => {
                    let again: Vec<char> = chars[at..].to_vec();
                    chars.extend(again);
                }
                _ => {
                    let bit = BITS[random(BITS.len())];
                    chars.splice(at..at, bit.chars());
                }
            }
        }
        let text: String = chars.into_iter().collect();
        let reading = read(&text);
        let n_units = text.encode_utf16().count();
        for it in &reading.diagnostics {
            assert!(it.span.start <= it.span.end, "{text:?}");
            assert!(it.span.end.offset as usize <= n_units, "{text:?}");
        }
        for document in &reading.documents {
            let printed = super::to_string(&document.value());
            assert!(read(&printed).stop.is_none(), "{text:?}\n{printed}");
        }
    }
}
