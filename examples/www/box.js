"use strict";

/*
 * A part of the page that is one WebSocket: EL has a .state, an .end, and buttons .start and .stop
 * (each where the page wants it). Its data-needs names what has to be installed on the server.
 *
 *	const greeter = box(el, "greeter", { message: (data) => ..., open: () => ..., close: () => ... });
 *	greeter.send("Ada");        // false when there is no connection
 *
 * Buttons in .says wait until it is connected: what they send is never dropped in silence.
 * PATH is relative to the page, so that all of it can live below another path. It may be a function.
 */
function box(el, path, { message, open = () => {}, close = () => {}, protocols = [], auto = true }) {
	const part = (name) => el.querySelector(name);
	let socket = null;

	function show(state, words) {
		const live = state === "open" || state === "connecting";
		part(".state").dataset.state = state;
		part(".state").textContent = words;
		for (const [name, off] of [[".start", live], [".stop", !live]]) {
			if (part(name))
				part(name).disabled = off;
		}
		for (const button of el.querySelectorAll(".says button"))
			button.disabled = state !== "open";
	}

	/* The close code and the reason come from the program's end: 1000 "exit 0", 1011 "exit 3". */
	function tell(event) {
		const code = document.createElement("b");
		code.textContent = event.code + (event.reason ? " " + event.reason : "");
		const more = event.reason === "exit 127" && el.dataset.needs ? " (not found on the server; it needs " + el.dataset.needs + ")"
			: event.wasClean ? "" : " (not cleanly: is it running?" + (el.dataset.needs ? " It needs " + el.dataset.needs + "." : "") + ")";
		part(".end").replaceChildren("Closed with ", code, more);
	}

	function connect() {
		const url = new URL(typeof path === "function" ? path() : path, location.href);
		url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
		part(".end").textContent = "";
		show("connecting", "connecting");
		const mine = socket = new WebSocket(url, protocols);
		mine.binaryType = "arraybuffer";
		mine.onopen = () => { show("open", "connected"); open(); };
		mine.onmessage = (event) => message(event.data);
		mine.onclose = (event) => {
			if (mine !== socket)
				return;
			show(event.wasClean ? "closed" : "failed", event.wasClean ? "closed" : "connection failed");
			tell(event);
			close(event);
		};
	}

	if (part(".start"))
		part(".start").onclick = connect;
	if (part(".stop"))
		part(".stop").onclick = () => socket.close(1000, "stopped by the page");
	if (auto)
		connect();
	return {
		connect,
		send(data) {
			if (socket === null || socket.readyState !== WebSocket.OPEN)
				return false;
			socket.send(data);
			return true;
		},
	};
}

/* Adds a row to LIST, which stays at its end if it was there, and forgets the oldest. */
function note(list, who, text, most = 200) {
	const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
	const row = document.createElement("li");
	row.className = who;
	row.textContent = text;
	const none = list.querySelector(".none");
	if (none)
		none.remove();
	list.append(row);
	while (list.children.length > most)
		list.firstChild.remove();
	if (atEnd || who === "mine")
		list.scrollTop = list.scrollHeight;
	return row;
}
