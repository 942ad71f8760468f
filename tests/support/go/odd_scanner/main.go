// A program with Grype's commands that imports any database, and scans in the way that its own name says. If that is
// `odd`, the last part of the repository's name says it.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const report = `{"matches": [], "distro": {"name": "debian"}, "descriptor": {"name": "grype", "version": "0"}}`
const bom = `{"bomFormat": "CycloneDX", "components": []}`

func write(name, content string) {
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func fill(files int) {
	chunk := make([]byte, 1<<20)
	for n := 0; n < files; n++ {
		file, _ := os.Create(fmt.Sprintf("unpacked-%d", n))
		for size := 0; size < 64; size++ {
			if _, err := file.Write(chunk); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		file.Close()
	}
	time.Sleep(time.Hour)
}

func behaviour() string {
	name := filepath.Base(os.Args[0])
	for _, argument := range os.Args[1:] {
		if repository, found := strings.CutPrefix(argument, "--name="); found && name == "odd" {
			return filepath.Base(repository)
		}
	}
	return name
}

func main() {
	arguments := strings.Join(os.Args[1:], " ")
	if strings.Contains(arguments, "db import") {
		folder := filepath.Join(os.Getenv("GRYPE_DB_CACHE_DIR"), "6")
		os.MkdirAll(folder, 0o700)
		write(filepath.Join(folder, "vulnerability.db"), "rows")
		return
	}
	if strings.Contains(arguments, "db status") {
		fmt.Println(`{"valid": true, "built": "2026-01-01T00:00:00Z"}`)
		return
	}
	switch behaviour() {
	case "hanging":
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Hour)
	case "killed":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "filling":
		fill(100)
	case "failing":
		fmt.Fprintln(os.Stderr, "unable to decode layer \x1b[31m")
		os.Exit(1)
	case "nonsense":
		write("report.json", "matches: none")
		write("sbom.json", bom)
	case "incomplete":
		write("report.json", `{"descriptor": {}}`)
		write("sbom.json", bom)
	case "endless":
		write("report.json", report)
		file, _ := os.Create("sbom.json")
		file.Truncate(65 << 20)
	case "linking":
		os.Symlink("/etc/passwd", "report.json")
		write("sbom.json", bom)
	case "silent":
	default:
		write("report.json", report)
		write("sbom.json", bom)
	}
}
