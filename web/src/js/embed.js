// The embed: the same application as a read-only clock. It never stores, never rewrites its
// address and never takes the focus.
import { boot } from './boot.js';

boot({ embed: true });
