// The page: one Yew application over the whole document.
import { boot } from './boot.js';

boot({ embed: false });
