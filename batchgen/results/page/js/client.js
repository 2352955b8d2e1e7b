// The page of somebody who is shown the films: what `batchgen share` writes.

new Page().start();
