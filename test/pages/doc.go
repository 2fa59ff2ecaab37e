// Package pages runs the commands on the project's pages. A page is Markdown. Each of its console
// blocks is a terminal session: lines that begin with "$ " are commands, and the lines after a
// command are its output:
//
//	```console
//	$ bucketmill run wordcount --input LICENSE --output out/words
//	job       01m8g8fk67kvy1sh9tm3nh98vq  wordcount  COMPLETED in 77ms
//	…
//	```
//
// A command continues in the next line where bash would ask for another line: after a backslash, in
// quotes, in a here document. All blocks of a page are one session of bash in a fresh copy of the
// repository. A page is right if every command succeeds and prints the output on the page.
//
// Texts that differ from run to run are compared only by their form: see Normal. Everything else
// must be equal, character by character. A line "…" matches any lines. Lines that report progress
// or downloads are removed from a command's output: see transient.
//
// A command that ends with "&" starts a server. The next command waits until 127.0.0.1:8080 answers
// at /readyz; the session replaces this address by a free one. The output of a server is not
// compared.
//
// A comment before a block says where the block runs, if not with the others:
//
//	<!-- console: docker -->             by the tests of test/e2e
//	<!-- console: not run: REASON -->    nowhere
package pages
