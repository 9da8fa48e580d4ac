/** The one script of the page: in a window it is the studio, in a worker it is the network. */

import { startPage } from "./page/main.js";
import { serve } from "./worker.js";

if (typeof document === "undefined") serve();
else startPage();
