/** A JSON text of a value; `JSON.parse` gives the value. */
export type Json<T> = string & { readonly __json?: T };

/** Milliseconds since the start of the run. */
export type Ms = number;

export interface Options {
  preset?: 'minikube' | 'default' | 'three-zones' | 'empty';
  seed?: number;
  /** When simulated time begins, RFC 3339. */
  start?: string;
  actions?: TimedAction[];
  /** Texts that `kubectl -f NAME` finds. */
  files?: { name: string; text: string }[];
  budgets?: { eventsAtOneInstant?: number; objects?: number };
}

export interface TimedAction { atMs: Ms; command?: string; yaml?: string }

/** Offsets and columns are in UTF-16 code units; lines and columns start at 1. */
export interface Position { offset: number; line: number; column: number }

export interface Diagnostic {
  severity: 'error' | 'warning' | 'info';
  code: string;
  path: string;
  span: { start: Position; end: Position };
  message: string;
  hint?: string;
  replacement?: string;
}

export interface ObjectName { kind: string; namespace: string; name: string }

export interface Notice { code: string; message: string; objects: ObjectName[] }

export interface RunState {
  nowMs: Ms;
  startUnixMs: number;
  horizonMs: Ms;
  nextMs: Ms | null;
  nEvents: number;
  seed: number;
  hash: string;
  revision: number;
  epoch: number;
  title: string;
  notices: Notice[];
}

export interface Fork { atMs: Ms; horizonMs: Ms; nEvents: number; actions: TimedAction[] }

export interface Completion {
  /** Where the text begins that a candidate replaces. */
  from: number;
  candidates: string[];
}

export interface CommandResult {
  output: string;
  /** What of it went to standard error. */
  stderr?: string;
  exitCode: number;
  forked?: Fork;
}

export type MarkKind =
  | 'step' | 'bound' | 'unschedulable' | 'jobDone' | 'jobFailed' | 'cronFired' | 'podFailed' | 'node';

export interface Mark { atMs: Ms; kind: MarkKind; object: ObjectName; text: string }

export interface Lane {
  workload: string;
  object: ObjectName;
  spans: LaneSpan[];
  nDropped: number;
  /** Where the time begins, up to the first span, in which there may have been runs that are not listed. */
  droppedFromMs?: number;
  expectedMs: Ms[];
}

export interface LaneSpan {
  object: ObjectName;
  node?: string;
  startMs: Ms;
  endMs?: Ms;
  outcome: 'running' | 'succeeded' | 'failed' | 'deleted';
}

export interface NodeCard {
  name: string;
  zone: string;
  ready: boolean;
  cordoned: boolean;
  controlPlane: boolean;
  taints: string[];
  labels: string[];
  amounts: { resource: string; requested: number; allocatable: number }[];
  nPods: number;
  maxPods: number;
}

export interface PodTile {
  namespace: string;
  name: string;
  node: string;
  phase: string;
  status: string;
  ready: boolean;
  terminating: boolean;
  workload: string;
  owners: ObjectName[];
  /** Millicores. */
  cpu: number;
  /** Bytes. */
  memory: number;
  message: string;
  isStatic: boolean;
  containers: { name: string; state: string; reason: string; restarts: number }[];
  priority: number;
  createdMs: Ms;
  startedMs?: Ms;
  finishedMs?: Ms;
}

export type WorkloadDetail =
  | { kind: 'replicas'; desired: number; current: number; ready: number; updated: number }
  | {
      kind: 'job';
      completions: number | null;
      parallelism: number;
      active: number;
      succeeded: number;
      failed: number;
      completedIndexes: string;
      finishedMs: Ms | null;
    }
  | {
      kind: 'cronJob';
      schedule: string;
      timeZone: string;
      suspended: boolean;
      active: number;
      lastMs: Ms | null;
      nextMs: Ms[];
    }
  | {
      kind: 'daemonSet';
      desired: number;
      current: number;
      ready: number;
      updated: number;
      misscheduled: number;
    };

export interface Workload {
  object: ObjectName;
  workload: string;
  status: string;
  createdMs: Ms;
  detail: WorkloadDetail;
}

export interface EventRow {
  key: string;
  atMs: Ms;
  level: string;
  reason: string;
  object: ObjectName;
  message: string;
  source: string;
  count: number;
}

/** With `full` set, everything that was known before is void. */
export interface Delta {
  revision: number;
  full: boolean;
  nodes: NodeCard[];
  pods: PodTile[];
  workloads: Workload[];
  events: EventRow[];
  others: ObjectName[];
  removed: ObjectName[];
}

export interface NodeVerdict {
  node: string;
  code: string;
  plugin?: string;
  reasons: string[];
  terms?: { text: string; short: string; path?: string }[];
}

export interface Diagnosis {
  pod: string;
  profile: string;
  atMs: Ms;
  attempt: number;
  nNodes: number;
  filters: string[];
  verdicts: NodeVerdict[];
  rejectedBy?: NodeVerdict;
  scores: {
    node: string;
    total: number;
    plugins: {
      plugin: string;
      raw: number;
      normalized: number;
      weight: number;
      formula?: string;
    }[];
  }[];
  chosen?: string;
  ties: string[];
  message?: string;
  preemption?: {
    nominated?: string;
    victims: string[];
    candidates: [string, string[], number][];
    why: string;
  };
}

/** An attempt in a list of attempts. */
export interface Attempt { atMs: Ms; attempt: number; text: string }

/** What would let a waiting pod run; the best first. */
export interface Fixes {
  fixes: {
    /** What to do, such as `label worker-a disktype=ssd`. */
    text: string;
    /** The first of the nodes on which the pod then fits. */
    nodes: string[];
    nNodes: number;
    /** What to carry out, in order: give each to `command(step.command, step.yaml)`. */
    steps: TimedAction[];
  }[];
  nTried: number;
  /** Whether all changes that were thought of were tried. */
  complete: boolean;
}

/** How many more of a pod fit. */
export interface Room {
  n: number;
  /** There may be more: the search stopped at a bound. */
  more: boolean;
  nodes: [node: string, n: number][];
  /** What the attempt at the next one found. */
  next?: Diagnosis;
}

/** Every way from a pod to the pods of its namespace: Services by name, then the ports of nodes. */
export interface Reach {
  client: ObjectName;
  /** The client's node; empty while it waits for one. */
  node: string;
  ways: {
    /** `service`: any of the targets, at random. `headless`: the name gives their addresses. */
    kind: 'service' | 'headless' | 'hostPort' | 'hostNetwork';
    /** What the client calls, such as `logger.default.svc:80` or `172.18.0.2:8080`. */
    address: string;
    /** Empty for ports of nodes. */
    service: string;
    /** Only pods on the client's own node answer. */
    local: boolean;
    /** `internalTrafficPolicy: Local`. */
    onlyLocal: boolean;
    targets: { pod: string; node: string; address: string }[];
    /** Empty where somebody answers. */
    whyNobody: string;
  }[];
}
