// Polls a withdrawal until it is complete; without script the page reloads by its own refresh header.
const panel = document.querySelector("[data-withdrawal]");
if (panel && panel.dataset.status !== "complete") {
  const tick = async () => {
    const answer = await fetch(`/api/withdrawals/${encodeURIComponent(panel.dataset.withdrawal)}`);
    if (answer.ok) {
      const now = await answer.json();
      panel.querySelector("[data-open]").textContent = now.open;
      panel.querySelector("[data-done]").textContent = now.done;
      panel.querySelector(".bar i").style.width = `${now.total ? (100 * now.done) / now.total : 0}%`;
      if (now.status === "complete") return location.reload();
    }
    setTimeout(tick, 400);
  };
  tick();
}
