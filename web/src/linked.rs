//! Which words of a command's output name objects that the page knows, so that they can be
//! selected there.

use view::ObjectName;

use crate::cluster::{Cluster, node_object, pod_object};

/// Of a long output only the beginning is looked at, bytes.
const MAX_BYTES: usize = 1 << 16;

/// A word, as a range of bytes of the output, and what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub from: usize,
    pub to: usize,
    pub object: ObjectName,
}

/// The words of an output that name objects, in their order.
#[must_use]
pub fn links(output: &str, cluster: &Cluster) -> Vec<Link> {
    let pods = cluster.pods.values().map(|it| pod_object(it));
    let nodes = cluster.nodes.keys().map(|it| node_object(it));
    let mut known: Vec<ObjectName> = pods.chain(nodes).collect();
    known.extend(cluster.workloads.keys().chain(&cluster.others).cloned());
    let mut links = vec![];
    let mut table = None;
    let mut start = 0;
    for line in output.split_inclusive('\n') {
        if start > MAX_BYTES {
            break;
        }
        if line.trim().is_empty() {
            table = None;
        } else if let Some(header) = Header::of(line) {
            table = Some(header);
        } else {
            let words = words(line).filter_map(|(from, word)| {
                let object = named(line, from, word, table.as_ref(), &known)?;
                Some(Link { from: start + from, to: start + from + word.len(), object })
            });
            links.extend(words);
        }
        start += line.len();
    }
    links
}

/// The columns of a table that matter: where they begin, in bytes.
struct Header {
    /// The kind whose table it looks like, in small letters.
    kind: Option<&'static str>,
    namespace: Option<usize>,
    name: Option<usize>,
    node: Option<usize>,
}

impl Header {
    fn of(line: &str) -> Option<Self> {
        if !line.starts_with("NAME") && !line.starts_with("LAST SEEN") {
            return None;
        }
        let at = |title: &str| words(line).find(|it| it.1 == title).map(|it| it.0);
        // The first of these titles tells whose table it is.
        let kinds = [
            ("RESTARTS", "pod"),
            ("ROLES", "node"),
            ("COMPLETIONS", "job"),
            ("SCHEDULE", "cronjob"),
            ("SELECTOR", "daemonset"),
            ("UP-TO-DATE", "deployment"),
            ("DESIRED", "replicaset"),
            ("CLUSTER-IP", "service"),
            ("READY", "statefulset"),
        ];
        let is_daemons = line.contains("NODE SELECTOR");
        let mut kinds = kinds.iter().filter(|it| it.1 != "daemonset" || is_daemons);
        let kind = kinds.find(|it| at(it.0).is_some()).map(|it| it.1);
        let node = at("NODE").filter(|_| !is_daemons);
        Some(Self { kind, namespace: at("NAMESPACE"), name: at("NAME"), node })
    }
}

/// What stands between blanks, with where it begins.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    line.split([' ', '\n', ',', '"']).filter_map(move |word| {
        let from = at;
        at += word.len() + 1;
        (!word.is_empty()).then_some((from, word))
    })
}

/// The object that a word names.
fn named(
    line: &str,
    from: usize,
    word: &str,
    table: Option<&Header>,
    known: &[ObjectName],
) -> Option<ObjectName> {
    let find = |kind: &str, name: &str, namespace: Option<&str>| {
        let fits = |it: &&ObjectName| {
            it.name == name
                && it.kind.eq_ignore_ascii_case(kind)
                && namespace.is_none_or(|ns| it.namespace == ns)
        };
        let mut all = known.iter().filter(fits);
        let first = all.next()?;
        // Without a namespace the default one is meant, or the only one.
        match all.next() {
            None => Some(first.clone()),
            Some(_) => known.iter().filter(fits).find(|it| it.namespace == "default").cloned(),
        }
    };
    let namespace = table.and_then(|it| it.namespace).and_then(|at| words(line.get(at..)?).next());
    let namespace = namespace.map(|it| it.1);
    if let Some((kind, name)) = word.split_once('/') {
        let kind = kind.split('.').next().unwrap_or_default();
        return find(kind, name, namespace);
    }
    let table = table?;
    if table.node == Some(from) {
        return find("node", word, None);
    }
    let kind = table.kind.filter(|_| table.name == Some(from))?;
    find(kind, word, namespace.filter(|_| kind != "node"))
}

#[cfg(test)]
mod tests {
    use view::{Delta, NodeCard, PodTile};

    use super::*;

    fn cluster() -> Cluster {
        let pod = |namespace: &str, name: &str| PodTile {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..PodTile::default()
        };
        let object = |kind: &str, name: &str| ObjectName {
            kind: kind.to_owned(),
            namespace: "default".to_owned(),
            name: name.to_owned(),
        };
        Cluster::default().after(Delta {
            full: true,
            pods: vec![pod("default", "web"), pod("default", "web-1"), pod("kube-system", "web-1")],
            nodes: vec![NodeCard { name: "n1".to_owned(), ..NodeCard::default() }],
            others: vec![
                object("Service", "web"),
                object("Deployment", "web"),
                object("Job", "tick-1"),
            ],
            ..Delta::default()
        })
    }

    fn check(output: &str, expected: &[&str]) {
        let found = links(output, &cluster());
        let found: Vec<String> = found
            .iter()
            .map(|it| {
                let ObjectName { kind, namespace, name } = &it.object;
                format!("{}={kind} {namespace}/{name}", &output[it.from..it.to])
            })
            .collect();
        assert_eq!(found, expected, "{output}");
    }

    #[test]
    fn tables_messages_and_descriptions_name_objects() {
        check(
            "pod/web created\nnode/n1 cordoned\n",
            &["pod/web=Pod default/web", "node/n1=Node /n1"],
        );
        check("deployment.apps/web scaled\n", &["deployment.apps/web=Deployment default/web"]);
        check("error: web n1 pod/other nothing\n", &[]);
        check(
            "NAME    READY   STATUS    RESTARTS   AGE   IP       NODE\n\
             web-1   1/1     Running   0          5s    <none>   n1\n\n\
             NAME   READY   UP-TO-DATE   AVAILABLE   AGE\n\
             web    1/1     1            1           5s\n",
            &["web-1=Pod default/web-1", "n1=Node /n1", "web=Deployment default/web"],
        );
        check(
            "NAMESPACE     NAME    READY   STATUS    RESTARTS   AGE\n\
             kube-system   web-1   1/1     Running   0          5s\n\
             kube-system   web     1/1     Running   0          5s\n",
            &["web-1=Pod kube-system/web-1"],
        );
        check(
            "NAME   TYPE        CLUSTER-IP\nweb    ClusterIP   10.96.0.1\n",
            &["web=Service default/web"],
        );
        check(
            "NAME              STATUS     COMPLETIONS\njob.batch/tick-1  Complete   1/1\n",
            &["job.batch/tick-1=Job default/tick-1"],
        );
        check(
            "LAST SEEN   TYPE     REASON   OBJECT\n5s          Normal   Pulled   pod/web\n",
            &["pod/web=Pod default/web"],
        );
        check("Controlled By:  Job/tick-1\n", &["Job/tick-1=Job default/tick-1"]);
    }

    #[test]
    fn of_a_long_output_the_beginning_is_enough() {
        let output = "pod/web created\n".repeat(100_000);
        let found = links(&output, &cluster());
        assert!(found.len() > 1_000 && found.len() < 10_000, "{}", found.len());
    }
}
