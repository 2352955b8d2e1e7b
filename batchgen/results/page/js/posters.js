// Posters: the browser takes an early frame of each video that is in sight, a few at a time, and keeps some.

class Posters {
  constructor() {
    this.stills = new Map(); // address -> canvas, oldest first
    this.waiting = []; // [address, ratio, done], newest last
    this.working = 0;
  }

  /** Ask for a still; `done(canvas)` or `done(null)` when there is none to be had. */
  ask(address, done) {
    const known = this.stills.get(address);
    if (known) {
      this.stills.delete(address);
      this.stills.set(address, known);
      done(known);
      return;
    }
    this.waiting.push([address, done]);
    this.next();
  }

  /** Forget what is not in sight any more. */
  drop() {
    this.waiting.length = 0;
  }

  next() {
    while (this.working < 3 && this.waiting.length) {
      const [address, done] = this.waiting.shift();
      this.working++;
      this.take(address).then((canvas) => {
        this.working--;
        if (canvas) {
          this.stills.set(address, canvas);
          if (this.stills.size > 160) this.stills.delete(this.stills.keys().next().value);
        }
        done(canvas);
        this.next();
      });
    }
  }

  take(address) {
    return new Promise((done) => {
      const video = document.createElement("video");
      const end = (canvas) => {
        clearTimeout(timer);
        video.removeAttribute("src");
        video.load();
        done(canvas);
      };
      const timer = setTimeout(() => end(null), 6000);
      video.muted = true;
      video.playsInline = true;
      video.preload = "auto";
      video.addEventListener("error", () => end(null), { once: true });
      video.addEventListener("loadedmetadata", () => {
        const early = Math.min(0.5, (video.duration || 0) / 3);
        if (early > 0) video.currentTime = early; // seeking loads the frame, also where nothing is preloaded (Safari)
        else video.addEventListener("loadeddata", () => end(still(video)), { once: true });
      }, { once: true });
      video.addEventListener("seeked", () => end(still(video)), { once: true });
      video.src = address;
    });
  }
}

/** The frame that a video shows, 720 pixels wide at most. */
function still(video) {
  if (!video.videoWidth) return null;
  const scale = Math.min(1, 720 / video.videoWidth);
  const canvas = make("canvas", {
    width: Math.round(video.videoWidth * scale),
    height: Math.round(video.videoHeight * scale),
    "aria-hidden": "true",
  });
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  canvas.seconds = video.duration;
  return canvas;
}
