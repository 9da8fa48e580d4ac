/** The worker of the npm package. */

import { serve } from "./worker.js";

serve();
