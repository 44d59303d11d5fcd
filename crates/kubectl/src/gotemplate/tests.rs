//! What kubectl 1.36.2 printed for a Deployment of two containers.

use serde_json::{Value, json};

use super::print;
use crate::failure::Failure;

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"labels": {"app": "d"}, "name": "d"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "d"}},
            "strategy": {},
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {
                    "containers": [
                        {"image": "a:1", "name": "a", "ports": [{"containerPort": 80}], "resources": {}},
                        {"image": "b:2", "name": "b", "resources": {}},
                    ],
                },
            },
        },
        "status": {},
    })
}

#[test]
fn what_a_template_prints() {
    let value = deployment();
    for (template, expected) in PRINTED {
        assert_eq!(print(template, &value), Ok((*expected).to_owned()), "{template}");
    }
}

#[test]
fn what_cannot_be_read_is_said_with_its_line() {
    for (template, why) in UNREADABLE {
        let why = format!("error parsing template {template}, template: output:{why}");
        assert_eq!(print(template, &Value::Null), Err(Failure::Text(why)), "{template}");
    }
}

#[test]
fn what_does_not_fit_is_said_with_its_place_and_all_that_helps() {
    let value = deployment();
    for (template, why) in UNFIT {
        let Err(Failure::After(printed, failure)) = print(template, &value) else {
            panic!("{template}");
        };
        let (_, told) = printed.split_once("Error executing template: ").unwrap();
        let why = format!("template: output:{why}");
        let first = format!(
            "{why}. Printing more information for debugging the template:\n\ttemplate was:\n\t\t\
             {template}\n\traw data was:\n\t\t{{\"apiVersion\""
        );
        assert!(told.starts_with(&first), "{template}: {printed}");
        let second = "\n\tobject given to template engine was:\n\t\tmap[apiVersion:apps/v1 ";
        assert!(told.contains(second) && told.ends_with("]\n\n"), "{template}: {printed}");
        let template = api::fields::quote(template);
        let text = format!("error executing template {template}: {why}");
        assert_eq!(*failure, Failure::Text(text));
    }
}

#[test]
fn what_was_printed_before_a_mistake_stays() {
    let Err(Failure::After(printed, _)) = print("a{{.kind}}{{len 3}}b", &deployment()) else {
        panic!("len takes no number");
    };
    assert!(printed.starts_with("aDeploymentError executing template"), "{printed}");
}

#[test]
fn templates_that_do_not_end_or_nest_too_deep_are_ended() {
    let deep = format!("{}1{}", "{{if 1}}".repeat(200), "{{end}}".repeat(200));
    let braces = format!("{{{{{}1{}}}}}", "(".repeat(200), ")".repeat(200));
    for template in [deep, braces] {
        assert!(matches!(print(&template, &Value::Null), Err(Failure::Text(_))));
    }
    let round = r#"{{define "x"}}{{template "x"}}{{end}}{{template "x"}}"#;
    for template in [round, "{{range 1000000000}}{{end}}"] {
        assert!(matches!(print(template, &Value::Null), Err(Failure::After(..))));
    }
}

#[rustfmt::skip]
const PRINTED: &[(&str, &str)] = &[
    ("{{.metadata.name}}", "d"),
    ("{{with .metadata}}{{.name}}{{end}}", "d"),
    ("{{with .nope}}x{{else}}y{{end}}", "y"),
    ("{{with $x := .metadata.name}}{{$x}}-{{.}}{{end}}", "d-d"),
    ("{{with .nope}}a{{else with .metadata.name}}{{.}}{{end}}", "d"),
    ("{{if .nope}}a{{else if .metadata}}b{{else}}c{{end}}", "b"),
    ("{{if and .metadata .spec}}yes{{end}}", "yes"),
    ("{{if or .nope .spec}}yes{{end}}", "yes"),
    ("{{if not .nope}}no{{end}}", "no"),
    (r#"{{and 1 0 2}} {{or 0 "" "x"}}"#, "0 x"),
    ("{{range $i, $c := .spec.template.spec.containers}}{{if $i}}, {{end}}{{$c.name}}={{$c.image}}{{end}}", "a=a:1, b=b:2"),
    (r#"{{range .spec.template.spec.containers}}{{if eq .name "a"}}{{continue}}{{end}}{{.name}}{{end}}"#, "b"),
    ("{{range .spec.template.spec.containers}}{{.name}}{{break}}{{end}}", "a"),
    ("{{range .nope}}x{{else}}none{{end}}", "none"),
    ("{{$n := 0}}{{range .spec.template.spec.containers}}{{$n = len .name}}{{end}}{{$n}}", "1"),
    (r#"{{printf "%s has %v" .metadata.name .spec.replicas}}"#, "d has 3"),
    (r#"{{printf "%d" .spec.replicas}}"#, "3"),
    (r#"{{printf "%q %10s|%-10s|%5.2f|%t|%x" .metadata.name "a" "b" 3.14159 true "hi"}}"#, r#""d"          a|b         | 3.14|true|6869"#),
    (r#"{{printf "%v %v" .metadata.labels .spec.template.spec.containers}}"#, "map[app:d] [map[image:a:1 name:a ports:[map[containerPort:80]] resources:map[]] map[image:b:2 name:b resources:map[]]]"),
    (r#"{{printf "%05d|%+d|%x|%X|%o|%c|%U" 42 42 255 255 8 65 65}}"#, "00042|+42|ff|FF|10|A|U+0041"),
    (r#"{{printf "%s" .spec.replicas}}"#, "%!s(int64=3)"),
    (r#"{{printf "%d" "x"}}"#, "%!d(string=x)"),
    (r#"{{printf "%s"}}"#, "%!s(MISSING)"),
    (r#"{{printf "%s" "a" "b"}}"#, "a%!(EXTRA string=b)"),
    (r#"{{printf "%%|%6v|%-6v|" 1.5 true}}"#, "%|   1.5|true  |"),
    (r#"{{printf "%T" .spec.replicas}}"#, "int64"),
    (r#"{{println "a" 1}}"#, "a 1\n"),
    (r#"{{print "a" "b" 1 2 "c"}}"#, "ab1 2c"),
    ("{{print 1 2 true nil}}", "1 2 true <nil>"),
    ("{{slice .metadata.name 0 1}}", "d"),
    (r#"{{slice "abcdef" 1 3}}|{{slice "abcdef" 2}}"#, "bc|cdef"),
    (r#"{{urlquery "a b&c"}}|{{html "<a>'\"&"}}|{{js "it's <b>"}}"#, r#"a+b%26c|&lt;a&gt;&#39;&#34;&amp;|it\'s \u003Cb\u003E"#),
    (r#"{{.metadata.name | printf "%s-%s" "x"}}"#, "x-d"),
    (r#"{{"quoted\ttext\u00e9"}} {{`raw\n`}} {{'a'}}"#, "quoted\ttexté raw\\n 97"),
    ("{{/* a comment */}}x{{- /* trim */ -}} y", "xy"),
    (r#"{{- "trimmed" -}} z"#, "trimmedz"),
    (r#"{{define "t"}}<{{.name}}>{{end}}{{template "t" .metadata}}"#, "<d>"),
    (r#"{{block "b" .metadata}}[{{.name}}]{{end}}"#, "[d]"),
    ("{{len .spec.template.spec.containers}} {{len .metadata.name}}", "2 1"),
    (r#"{{index .spec.template.spec.containers 0 "name"}}"#, "a"),
    (r#"{{index .metadata.labels "app"}}"#, "d"),
    ("{{(index .spec.template.spec.containers 1).image}}", "b:2"),
    ("{{.spec.replicas}} {{.metadata.nope}} {{.metadata.nope.more}}", "3 <no value> <no value>"),
    ("{{.metadata}}", "map[labels:map[app:d] name:d]"),
    ("{{.spec.template.spec.containers}}", "[map[image:a:1 name:a ports:[map[containerPort:80]] resources:map[]] map[image:b:2 name:b resources:map[]]]"),
    (r#"{{eq .metadata.name "d"}} {{eq .metadata.name "x" "d"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1.5 2.5}}"#, "true true true true true true false"),
    ("{{eq .spec.replicas 3}}", "true"),
    (r#"{{exists .metadata "labels" "app"}} {{exists .metadata "nope"}}"#, "true false"),
    (r#"{{base64decode "aGVsbG8="}}"#, "hello"),
    ("{{1000000}} {{1e6}} {{0x10}} {{1_000}} {{-5}} {{3.0}} {{1e21}}", "1000000 1e+06 16 1000 -5 3 1e+21"),
    ("{{true}} {{false}}", "true false"),
    ("{{range $k, $v := .metadata.labels}}{{$k}}={{$v}}{{end}}", "app=d"),
    ("{{range 3}}{{.}}{{end}}", "012"),
    ("{{range $i := 3}}{{$i}}{{end}}", "012"),
    ("{{range .spec.replicas}}x{{end}}", "xxx"),
    (r#"{{not true}}{{not ""}}"#, "falsetrue"),
    (r#"{{(printf "%s" .metadata.name)}}x"#, "dx"),
    ("{{((.metadata).name)}}", "d"),
    (r#"{{.metadata.labels.app | len | printf "%03d"}}"#, "001"),
    ("{{with .metadata}}{{$.spec.replicas}}{{.name}}{{end}}", "3d"),
    ("{{$x := 1}}{{if true}}{{$x = 2}}{{$x := 3}}{{$x}}{{end}}{{$x}}", "32"),
    (r#"{{"a" | eq "a"}}"#, "true"),
    (r#"{{print (eq 1 1) (len "abc")}}"#, "true 3"),
    ("- {{.name}}", "- <no value>"),
    (r#"{{if eq .kind "Deployment"}}D{{end}}"#, "D"),
    ("{{.status}} {{.spec.strategy}} {{.metadata.creationTimestamp}}", "map[] map[] <no value>"),
    ("{{range $e := .spec.template.spec.containers}}{{range $p := $e.ports}}{{$p.containerPort}}{{end}}{{end}}", "80"),
    ("{{html .metadata.labels}}", "map[app:d]"),
    (r#"{{template "t" .x}}{{define "t"}}q{{end}}"#, "q"),
    (r#"{{printf "%v" nil}}"#, "<nil>"),
    (r#"{{printf "%s %s" "a" .nope}}"#, "a %!s(<nil>)"),
    ("{{ .metadata.name | }}", "d"),
    ("{{if $x := .metadata.name}}{{$x}}{{end}}", "d"),
    (r#"{{ .metadata.labels.app }}{{"\n"}}"#, "d\n"),
    ("{{with $m := .metadata}}{{range $k, $v := $m.labels}}{{$k}}{{end}}{{end}}", "app"),
    (r#"{{printf "%6.2f|%-8.3f|%08.3f|%+.1f|%e|%E|%g|%G" 3.14159 2.5 2.5 1.0 12345.678 0.00012 1e100 1e-7}}"#, "  3.14|2.500   |0002.500|+1.0|1.234568e+04|1.200000E-04|1e+100|1E-07"),
    (r#"{{printf "%g %g %g %g %v %v" 100000.0 1000000.0 1234567.0 0.0001 0.00001 123456789.0}}"#, "100000 1e+06 1.234567e+06 0.0001 1e-05 1.23456789e+08"),
    (r#"{{printf "%.3g|%.10g|%5g|%05g" 1234.5678 1234.5678 1.5 1.5}}"#, "1.23e+03|1234.5678|  1.5|001.5"),
    (r#"{{printf "%x %X %x % x %#x" "hello" "hello" 255 "abc" "abc"}}"#, "68656c6c6f 68656C6C6F ff 61 62 63 0x616263"),
    (r#"{{printf "%5t|%-7t|%v" true false true}}"#, " true|false  |true"),
    (r#"{{printf "%q %q %+q %#q" "a\"b" "é" "é" "abc"}}"#, r#""a\"b" "é" "\u00e9" `abc`"#),
    (r#"{{printf "%c%c %q %U" 72 105 65 0x1F600}}"#, "Hi 'A' U+1F600"),
    (r#"{{printf "%3d|%-3d|%03d|% d|%+d|%x|%o|%b|%O" 5 5 5 5 5 -255 8 5 8}}"#, "  5|5  |005| 5|+5|-ff|10|101|0o10"),
    (r#"{{printf "%.3d|%8.3d|%08d|%-08d|" 5 5 -5 5}}"#, "005|     005|-0000005|5       |"),
    (r#"{{printf "%s|%10s|%-10s|%.2s|%10.2s|" "abc" "abc" "abc" "abc" "abc"}}"#, "abc|       abc|abc       |ab|        ab|"),
    (r#"{{printf "%v|%v|%v|%s" .metadata .spec.replicas nil "x"}}"#, "map[labels:map[app:d] name:d]|3|<nil>|x"),
    (r#"{{printf "%[1]s %[1]s %[2]d %s" "a" 1}}"#, "a a 1 %!s(MISSING)"),
    (r#"{{printf "%[3]s" "a"}}"#, "%!s(BADINDEX)"),
    (r#"{{printf "%[x]s" "a"}}"#, "%!s(BADINDEX)"),
    (r#"{{printf "%*d|%-*d|" 5 1 5 1}}"#, "    1|1    |"),
    (r#"{{printf "%.*f" 2 3.14159}}"#, "3.14"),
    (r#"{{printf "%t %t" "x" 1}}"#, "%!t(string=x) %!t(int=1)"),
    (r#"{{printf "%f %d" 1 1.5}}"#, "%!f(int=1) %!d(float64=1.5)"),
    (r#"{{printf "%d %s" .metadata.labels .metadata.labels}}"#, "map[%!d(string=app):%!d(string=d)] map[app:d]"),
    (r#"{{printf "%z %!" 1}}"#, "%!z(int=1) %!!(MISSING)"),
    ("{{printf .metadata.name}}", "d"),
    (r#"{{printf "%s" .metadata.name .spec.replicas .nope .metadata.labels}}"#, "d%!(EXTRA int64=3, <nil>, map[string]interface {}=map[app:d])"),
    (r#"{{print 1.0 2.50 1e3 "x" .spec.replicas}}"#, "1 2.5 1000x3"),
    ("{{print .metadata.name .metadata.name}}{{print .spec.replicas .spec.replicas}}", "dd3 3"),
    ("{{println}}{{print}}", "\n"),
    (r#"{{html "a" 1 2}}|{{js "\n\t<>&=\"'é"}}|{{urlquery "é/?=&~*"}}"#, r#"a1 2|\u000A\u0009\u003C\u003E\u0026\u003D\"\'é|%C3%A9%2F%3F%3D%26~%2A"#),
    (r#"{{index "abc" 1}}"#, "98"),
    (r#"{{index .metadata "labels" "app"}}"#, "d"),
    ("{{slice .spec.template.spec.containers 1}}", "[map[image:b:2 name:b resources:map[]]]"),
    ("{{slice .spec.template.spec.containers 0 1 1}}", "[map[image:a:1 name:a ports:[map[containerPort:80]] resources:map[]]]"),
    (r#"{{eq .nope .nope}} {{eq .nope "x"}} {{ne .nope nil}}"#, "true false false"),
    (r#"{{eq 1.5 1.5}} {{eq true true}} {{eq "a" "b" "c"}} {{lt "a" "b"}} {{ge 2 1}} {{le 1.0 2.0}}"#, "true true false true true true"),
    (r#"{{and true 1 "x"}}|{{and 0 (index .nope 1)}}|{{or 1 (index .nope 1)}}"#, "x|0|1"),
    ("{{exists .metadata}}", "true"),
    (r#"{{exists .spec "template" "spec" "containers" 0 "name"}}"#, "true"),
    ("{{range -1}}a{{else}}b{{end}}", "b"),
    ("{{range 0}}a{{else}}b{{end}}", "b"),
    ("{{range $k, $v := .}}{{$k}} {{end}}", "apiVersion kind metadata spec status "),
    ("{{range $v := .metadata.labels}}{{$v}} {{end}}", "d "),
    ("{{range .metadata.labels}}{{.}}{{else}}x{{end}}", "d"),
    (r#"{{with 0}}a{{else}}b{{end}}{{with ""}}a{{end}}{{with true}}{{.}}{{end}}"#, "btrue"),
    ("{{with .metadata}}{{with .labels}}{{.app}}{{$.kind}}{{end}}{{end}}", "dDeployment"),
    ("{{(.metadata.name)}}{{( .metadata.name )}}", "dd"),
    ("{{.kind | print | len}}", "10"),
    ("{{print |}}", ""),
    (r#"{{define "x"}}{{$.name}}{{end}}{{template "x" .metadata}}{{template "x"}}"#, "d<no value>"),
    (r#"{{block "x" .}}{{.kind}}{{end}}{{template "x" .metadata}}"#, "Deployment<no value>"),
    ("{{/* a */}}{{- /* b */ -}}  c  {{- /* d */}}", "c"),
    (r#"{{- "a" -}}"#, "a"),
    (r#" a {{- " b " -}} c "#, " a b c "),
    (" a {{-3}} b {{3 -}} c", " a -3 b 3c"),
    (r#"{{"\x41\101\u0041\U00000041\a"}}"#, "AAAA\u{7}"),
    (r#"{{'\n'}}{{'é'}}{{'\''}}"#, "1023339"),
    ("{{0b11}}{{0o17}}{{0xFf}}{{1e-2}}{{.5}}{{5.}}{{+5}}{{1_0}}", "3152550.010.55510"),
    (r#"{{true | not}}{{.kind | eq "Deployment"}}{{.kind | printf "%s %s" "x"}}"#, "falsetruex Deployment"),
    (r#"{{if .kind | eq "Deployment"}}yes{{end}}"#, "yes"),
    (r#"{{eq (len .kind) 10}}{{if and (eq .kind "Deployment") (gt (len .metadata.name) 0)}}ok{{end}}"#, "trueok"),
    ("{{range $i, $e := .spec.template.spec.containers}}{{if ne $i 0}}{{continue}}{{end}}{{$i}}{{.name}}{{end}}", "0a"),
    ("{{ .metadata.name   }}  x\t{{\t.kind\t}}", "d  x\tDeployment"),
    ("{{len (slice .kind 1 3)}}{{(index .spec.template.spec.containers 0).ports}}", "2[map[containerPort:80]]"),
    (r#"{{print nil}}{{print .nope}}{{print "a" nil}}"#, "<nil><nil>a<nil>"),
    (r#"}} {{"}}"}} {{`}}`}}"#, "}} }} }}"),
    (r#"{ {{"{"}} }"#, "{ { }"),
    ("{{.metadata.labels.app}}-{{.spec.template.metadata.labels.app}}-{{.spec.selector.matchLabels}}", "d-d-map[app:d]"),
    (r#"{{range .spec.template.spec.containers}}{{.name}}{{"\t"}}{{.image}}{{"\n"}}{{end}}"#, "a\ta:1\nb\tb:2\n"),
];

#[rustfmt::skip]
const UNREADABLE: &[(&str, &str)] = &[
    ("{{foo .a}}", r#"1: function "foo" not defined"#),
    ("{{.a", "1: unclosed action"),
    ("{{end}}", "1: unexpected {{end}}"),
    ("{{if .a}}", "1: unexpected EOF"),
    ("{{else}}", "1: unexpected {{else}}"),
    ("{{$y}}", r#"1: undefined variable "$y""#),
    ("{{.metadata name}}", r#"1: function "name" not defined"#),
    ("{{if}}x{{end}}", "1: missing value for if"),
    ("{{range}}x{{end}}", "1: missing value for range"),
    ("{{}}", "1: missing value for command"),
    (r#"{{"unterminated}}"#, "1: unterminated quoted string"),
    ("{{break}}", "1: {{break}} outside {{range}}"),
    ("{{- range .spec.template.spec.containers}}", "1: unexpected EOF"),
    ("{{- end}}", "1: unexpected {{end}}"),
    ("{{.metadata.name | nosuch}}", r#"1: function "nosuch" not defined"#),
    ("{{ | .metadata.name }}", r#"1: unexpected "|" in command"#),
    ("{{range $a, $b, $c := .x}}{{end}}", "1: too many declarations in range"),
    ("{{if true}}a{{else}}b{{else}}c{{end}}", "1: expected end; found {{else}}"),
    (r#"{{"a".x}}"#, r#"1: unexpected . after term "\"a\"""#),
    ("{{1.x}}", r#"1: bad number syntax: "1.x""#),
    ("{{true.x}}", r#"1: unexpected . after term "true""#),
    ("{{nil.x}}", r#"1: unexpected . after term "nil""#),
    ("{{..x}}", r#"1: unexpected . after term ".""#),
    ("{{.a..b}}", "1: unexpected <.> in operand"),
    ("{{.a.}}", "1: unexpected <.> in operand"),
    ("{{$.}}", "1: unexpected <.> in operand"),
    ("{{$}}{{$x}}", r#"1: undefined variable "$x""#),
    ("{{.a b}}", r#"1: function "b" not defined"#),
    (r#"{{.a"b"}}"#, r#"1: bad character U+0022 '"'"#),
    (r#"{{"a""b"}}"#, r#"1: unexpected "\"b\"" in operand"#),
    ("{{(.a}}", "1: unclosed left paren"),
    ("{{.a)}}", "1: unexpected right paren"),
    ("{{()}}", "1: missing value for parenthesized pipeline"),
    (r#"{{.kind | "x"}}"#, "1: non executable command in pipeline stage 2"),
    ("{{.kind | 3}}", "1: non executable command in pipeline stage 2"),
    ("{{.kind || print}}", r#"1: unexpected "|" in command"#),
    ("{{| print}}", r#"1: unexpected "|" in command"#),
    ("{{#}}", r##"1: unexpected "#" in command"##),
    ("{{!}}", r#"1: unexpected "!" in command"#),
    ("{{.a, .b}}", r#"1: unexpected "," in operand"#),
    ("{{,}}", r#"1: unexpected "," in command"#),
    ("{{=}}", r#"1: unexpected "=" in command"#),
    ("{{:}}", "1: expected :="),
    ("{{:=}}", r#"1: unexpected ":=" in command"#),
    ("{{$x := }}", "1: missing value for command"),
    ("{{$x :=}}", "1: missing value for command"),
    ("{{$x := 1 := 2}}", r#"1: unexpected ":=" in operand"#),
    ("{{$x, $y := 1}}", "1: too many declarations in command"),
    ("{{if $x := 1}}{{$x}}{{else}}{{$x}}{{end}}{{$x}}", r#"1: undefined variable "$x""#),
    ("{{range $x := .metadata.labels}}{{end}}{{$x}}", r#"1: undefined variable "$x""#),
    ("{{else if true}}", "1: unexpected {{else}}"),
    ("{{if true}}{{else with 1}}{{end}}", "1: unexpected <with> in input"),
    ("{{with 1}}{{else if 1}}{{end}}", "1: unexpected <if> in input"),
    ("{{range .x}}{{else if 1}}{{end}}", "1: unexpected <if> in input"),
    ("{{if true}}{{end}}{{end}}", "1: unexpected {{end}}"),
    ("{{if true}}{{if true}}{{end}}", "1: unexpected EOF"),
    ("{{end if}}", "1: unexpected <if> in end"),
    ("{{else}}x{{end}}", "1: unexpected {{else}}"),
    ("{{continue}}", "1: {{continue}} outside {{range}}"),
    ("{{range 2}}{{if true}}{{break 1}}{{end}}{{end}}", r#"1: unexpected "1" in {{break}}"#),
    (r#"{{define "x"}}"#, "1: unexpected EOF"),
    ("{{define}}{{end}}", r#"1: unexpected "}}" in define clause"#),
    ("{{define x}}{{end}}", r#"1: unexpected "x" in define clause"#),
    (r#"{{define "x"}}a{{end}}{{define "x"}}b{{end}}{{template "x"}}"#, r#"1: template: multiple definition of template "x""#),
    (r#"{{if true}}{{define "x"}}{{end}}{{end}}"#, "1: unexpected <define> in command"),
    ("{{template}}", r#"1: unexpected "}}" in template clause"#),
    ("{{template x}}", r#"1: unexpected "x" in template clause"#),
    (r#"{{define "x"}}{{$.name}}{{$y}}{{end}}"#, r#"1: undefined variable "$y""#),
    (r#"{{block "x"}}{{end}}"#, "1: missing value for block clause"),
    ("{{/* a }}", "1: unclosed comment"),
    ("{{/* a */ x}}", "1: comment ends before closing delimiter"),
    ("{{-3}}|{{- 3}}|{{ - 3}}", r#"1: illegal number syntax: "-""#),
    ("{{'ab'}}", "1: malformed character constant: 'ab'"),
    ("{{'a}}", "1: unterminated character constant"),
    ("{{`a}}", "1: unterminated raw quoted string"),
    (r#"{{"a"#, "1: unterminated quoted string"),
    (r#"{{"\q"}}"#, "1: invalid syntax"),
    ("{{1x}}", r#"1: bad number syntax: "1x""#),
    ("{{0x}}", r#"1: illegal number syntax: "0x""#),
    ("{{ $x := dict }}", r#"1: function "dict" not defined"#),
    ("{{toJson .}}", r#"1: function "toJson" not defined"#),
    ("{{.metadata.name | upper}}", r#"1: function "upper" not defined"#),
    ("x\n\n{{foo}}", r#"3: function "foo" not defined"#),
    ("{{\"a\nb\"}}", "1: unterminated quoted string"),
];

#[rustfmt::skip]
const UNFIT: &[(&str, &str)] = &[
    (r#"{{template "missing"}}"#, r#"1:11: executing "output" at <{{template "missing"}}>: template "missing" not defined"#),
    ("{{index .spec.template.spec.containers 7}}", r#"1:2: executing "output" at <index .spec.template.spec.containers 7>: error calling index: index out of range: 7"#),
    ("{{.metadata.name.more}}", r#"1:11: executing "output" at <.metadata.name.more>: can't evaluate field more in type interface {}"#),
    ("{{eq .spec.replicas 3.0}}", r#"1:2: executing "output" at <eq .spec.replicas 3.0>: error calling eq: incompatible types for comparison: int64 and float64"#),
    ("{{lt .spec.replicas 4.0}}", r#"1:2: executing "output" at <lt .spec.replicas 4.0>: error calling lt: incompatible types for comparison: int64 and float64"#),
    (r#"{{eq 1 "a"}}"#, r#"1:2: executing "output" at <eq 1 "a">: error calling eq: incompatible types for comparison: int and string"#),
    (r#"{{lt 1 "a"}}"#, r#"1:2: executing "output" at <lt 1 "a">: error calling lt: incompatible types for comparison: int and string"#),
    ("{{nil}}", r#"1:2: executing "output" at <nil>: nil is not a command"#),
    ("{{range .metadata.name}}x{{end}}", r#"1:17: executing "output" at <.metadata.name>: range can't iterate over d"#),
    ("{{len 3}}", r#"1:2: executing "output" at <len 3>: error calling len: len of type int"#),
    ("{{len .nope}}", r#"1:2: executing "output" at <len .nope>: error calling len: reflect: call of reflect.Value.Type on zero Value"#),
    (r#"{{.metadata.name "x"}}"#, r#"1:11: executing "output" at <.metadata.name>: name is not a method but has arguments"#),
    ("{{call .metadata}}", r#"1:2: executing "output" at <call .metadata>: error calling call: non-function .metadata of type map[string]interface {}"#),
    ("{{and}}", r#"1:2: executing "output" at <and>: wrong number of args for and: want at least 1 got 0"#),
    ("{{index}}", r#"1:2: executing "output" at <index>: wrong number of args for index: want at least 1 got 0"#),
    ("{{not}}", r#"1:2: executing "output" at <not>: wrong number of args for not: want 1 got 0"#),
    ("{{eq 1}}", r#"1:2: executing "output" at <eq 1>: error calling eq: missing argument for comparison"#),
    (r#"{{slice "abc" 5}}"#, r#"1:2: executing "output" at <slice "abc" 5>: error calling slice: index out of range: 5"#),
    ("{{.metadata.name .}}", r#"1:11: executing "output" at <.metadata.name>: name is not a method but has arguments"#),
    ("{{1 2}}", r#"1:2: executing "output" at <1>: can't give argument to non-function 1"#),
    ("{{$x = 1}}", r#"1:7: executing "output" at <1>: undefined variable: $x"#),
    ("{{printf .spec.replicas}}", r#"1:14: executing "output" at <.spec.replicas>: wrong type for value; expected string; got int64"#),
    ("{{printf .nope}}", r#"1:9: executing "output" at <.nope>: invalid value; expected string"#),
    ("{{index .metadata.labels 1}}", r#"1:2: executing "output" at <index .metadata.labels 1>: error calling index: value has type int; should be string"#),
    (r#"{{index .spec.template.spec.containers "x"}}"#, r#"1:2: executing "output" at <index .spec.template.spec.containers "x">: error calling index: cannot index slice/array with type string"#),
    ("{{index .spec.template.spec.containers nil}}", r#"1:2: executing "output" at <index .spec.template.spec.containers nil>: error calling index: cannot index slice/array with nil"#),
    ("{{index .nope 1}}", r#"1:2: executing "output" at <index .nope 1>: error calling index: index of untyped nil"#),
    (r#"{{index .metadata "nope" "app"}}"#, r#"1:2: executing "output" at <index .metadata "nope" "app">: error calling index: index of nil pointer"#),
    ("{{index 3 1}}", r#"1:2: executing "output" at <index 3 1>: error calling index: can't index item of type int"#),
    (r#"{{slice "abc" 0 1 2}}"#, r#"1:2: executing "output" at <slice "abc" 0 1 2>: error calling slice: cannot 3-index slice a string"#),
    (r#"{{slice "abc" 2 1}}"#, r#"1:2: executing "output" at <slice "abc" 2 1>: error calling slice: invalid slice index: 2 > 1"#),
    (r#"{{slice "abc" "x"}}"#, r#"1:2: executing "output" at <slice "abc" "x">: error calling slice: cannot index slice/array with type string"#),
    ("{{slice 3 1}}", r#"1:2: executing "output" at <slice 3 1>: error calling slice: can't slice item of type int"#),
    ("{{slice .nope}}", r#"1:2: executing "output" at <slice .nope>: error calling slice: slice of untyped nil"#),
    ("{{eq .metadata.name .metadata}}", r#"1:2: executing "output" at <eq .metadata.name .metadata>: error calling eq: incompatible types for comparison: string and map[string]interface {}"#),
    ("{{lt .nope 1}}", r#"1:2: executing "output" at <lt .nope 1>: error calling lt: invalid type for comparison"#),
    ("{{lt true false}}", r#"1:2: executing "output" at <lt true false>: error calling lt: invalid type for comparison"#),
    ("{{lt .metadata 1}}", r#"1:2: executing "output" at <lt .metadata 1>: error calling lt: invalid type for comparison"#),
    (r#"{{eq 1 2 "a"}}"#, r#"1:2: executing "output" at <eq 1 2 "a">: error calling eq: incompatible types for comparison: int and string"#),
    ("{{not 1 2}}", r#"1:2: executing "output" at <not>: wrong number of args for not: want 1 got 2"#),
    ("{{len 1 2}}", r#"1:2: executing "output" at <len>: wrong number of args for len: want 1 got 2"#),
    (r#"{{base64decode "!!!"}}"#, r#"1:2: executing "output" at <base64decode "!!!">: error calling base64decode: base64 decode failed: illegal base64 data at input byte 0"#),
    ("{{base64decode .metadata.name}}", r#"1:2: executing "output" at <base64decode .metadata.name>: error calling base64decode: base64 decode failed: illegal base64 data at input byte 0"#),
    ("{{base64decode 5}}", r#"1:15: executing "output" at <5>: expected string; found 5"#),
    ("{{exists}}", r#"1:2: executing "output" at <exists>: wrong number of args for exists: want at least 1 got 0"#),
    ("{{range $i, $x := 3}}{{$i}}{{end}}", r#"1:18: executing "output" at <3>: can't use 3 to iterate over more than one variable"#),
    ("{{range true}}{{end}}", r#"1:8: executing "output" at <true>: range can't iterate over true"#),
    ("{{range 1.5}}{{end}}", r#"1:8: executing "output" at <1.5>: range can't iterate over 1.5"#),
    ("{{$a := .metadata}}{{$a.name}}{{$b := $a.labels.app}}{{$b}}{{$b.x}}", r#"1:63: executing "output" at <$b.x>: can't evaluate field x in type string"#),
    ("{{.kind.x}}", r#"1:7: executing "output" at <.kind.x>: can't evaluate field x in type interface {}"#),
    ("{{$.kind.x.y}}", r#"1:3: executing "output" at <$.kind.x.y>: can't evaluate field x in type interface {}"#),
    (r#"{{(print "a").x}}"#, r#"1:9: executing "output" at <"a">: can't evaluate field x in type string"#),
    ("{{(.metadata).labels.app.z}}", r#"1:3: executing "output" at <.metadata>: can't evaluate field z in type interface {}"#),
    ("{{.kind | .metadata}}", r#"1:10: executing "output" at <.metadata>: metadata is not a method but has arguments"#),
    (r#"{{template "x" 1 2}}"#, r#"1:11: executing "output" at <{{template "x" 1 2}}>: template "x" not defined"#),
    (r#"{{define "x"}}{{template "y" .}}{{end}}{{template "x" .metadata}}"#, r#"1:25: executing "x" at <{{template "y" .}}>: template "y" not defined"#),
    (r#"{{define "x"}}{{.name.foo}}{{end}}{{template "x" .metadata}}"#, r#"1:21: executing "x" at <.name.foo>: can't evaluate field foo in type interface {}"#),
    ("{{call}}{{call nil}}", r#"1:2: executing "output" at <call>: wrong number of args for call: want at least 1 got 0"#),
    (r#"{{call "x" 1}}"#, r#"1:2: executing "output" at <call "x" 1>: error calling call: non-function "x" of type string"#),
    ("{{nil | print}}", r#"1:2: executing "output" at <nil>: nil is not a command"#),
    ("{{if nil}}a{{else}}b{{end}}", r#"1:5: executing "output" at <nil>: nil is not a command"#),
    ("a\n{{.x}}\n{{.kind.y}}", r#"3:7: executing "output" at <.kind.y>: can't evaluate field y in type interface {}"#),
    ("{{if true\n}}a\n{{else}}{{end}}{{len 3}}", r#"3:17: executing "output" at <len 3>: error calling len: len of type int"#),
    ("{{`a\nb`}}{{.kind.z}}", r#"2:11: executing "output" at <.kind.z>: can't evaluate field z in type interface {}"#),
];
