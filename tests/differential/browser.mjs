// What engines that were built for browsers need from one.

// The clock of the whole process stops at one moment: today() and now() are part of what is compared.
export function standStill(moment) {
  const Clock = Date;
  const at = Clock.parse(moment);
  globalThis.Date = class extends Clock {
    constructor(...given) {
      super(...(given.length ? given : [at]));
    }

    static now() {
      return at;
    }
  };
}

export function lend(window, names) {
  for (const name of names) {
    globalThis[name] = window[name];
  }
  // What is said there is not for us: every answer goes out as a line of JSON.
  console.warn = () => {};
  console.error = () => {};
}
