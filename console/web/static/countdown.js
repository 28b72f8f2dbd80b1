// Polls a withdrawal until it is complete; without script the page refreshes itself (noscript in withdrawal.html).
const panel = document.querySelector("[data-withdrawal]");
if (panel && panel.dataset.status !== "complete") {
  const tick = async () => {
    const answer = await fetch(`/api/withdrawals/${encodeURIComponent(panel.dataset.withdrawal)}`);
    if (answer.ok) {
      const now = await answer.json();
      if (now.status !== panel.dataset.status) return location.reload();
      if (now.status === "planned") {
        panel.querySelector("[data-open]").textContent = now.open;
        panel.querySelector("[data-done]").textContent = now.done;
        panel.querySelector("progress").value = now.total ? now.done : 1;
      }
    }
    setTimeout(tick, 400);
  };
  tick();
}
