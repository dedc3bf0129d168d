// The stream of events for the page; a long silence counts as a lost connection.

const SILENCE_MS = 6000;

export function connect(address, draw, lost) {
  let source = null;
  let heard = Date.now();
  let last = null;
  let closed = false;

  function open() {
    source = new EventSource(address);
    source.onmessage = (event) => {
      heard = Date.now();
      last = JSON.parse(event.data);
      draw(last);
    };
    source.addEventListener("heartbeat", () => {
      heard = Date.now();
      if (last) draw(last);
    });
    source.onerror = () => {
      lost("The connection to the console is lost. What you see is old. Trying again …");
      // The browser reconnects by itself, except after some error answers.
      if (source.readyState === EventSource.CLOSED && !closed) setTimeout(() => closed || open(), 2000);
    };
  }

  const watch = setInterval(() => {
    if (Date.now() - heard > SILENCE_MS) lost("The console has not answered for some seconds. What you see is old.");
  }, 1000);
  open();
  return { close() { closed = true; clearInterval(watch); source.close(); } };
}
