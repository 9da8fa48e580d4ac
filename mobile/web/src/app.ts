/** The one script of the pages: in a window it is the studio or the benchmark, in a worker it is the network. */

import { startBench } from "./page/bench.js";
import { startPage } from "./page/main.js";
import { serve } from "./worker.js";

if (typeof document === "undefined") serve();
else if (document.documentElement.dataset["page"] === "bench") startBench();
else startPage();
