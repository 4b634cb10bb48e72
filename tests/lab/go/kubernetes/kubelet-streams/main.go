// The streaming half of a kubelet: what the API server calls for `kubectl exec`, `logs` and `port-forward`.
//
// It starts no pod. The other half of the laboratory's kubelet writes two things about a container of a pod, and this reads them:
// RUN/pods/NAMESPACE_POD/CONTAINER.json, the argument list that enters the container, to which a command is appended, and
// RUN/log/NAMESPACE_POD_CONTAINER.log, its output in the format of the container runtime interface.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	protocols "k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/tools/remotecommand"
	cri "k8s.io/cri-api/pkg/apis"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-client/pkg/logs"
	"k8s.io/kubelet/pkg/cri/streaming/portforward"
	streaming "k8s.io/kubelet/pkg/cri/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// How long a stream may be idle, and how long its set-up may take: the kubelet's own defaults.
const (
	idle  = 4 * time.Hour
	setup = 30 * time.Second
)

type kubelet struct{ run string }

// enter returns the argument list that enters a container.
func (k kubelet) enter(pod, container string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(k.run, "pods", pod, container+".json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("container not found (%q)", container)
	}
	var argv []string
	if err == nil {
		err = json.Unmarshal(text, &argv)
	}
	return argv, err
}

// pump copies a client's input to a program. It ends with the program: a client that keeps its input open is not waited for.
func pump(command *exec.Cmd, from io.Reader) error {
	into, err := command.StdinPipe()
	if err == nil {
		go func() {
			_, _ = io.Copy(into, from)
			_ = into.Close()
		}()
	}
	return err
}

func (k kubelet) ExecInContainer(ctx context.Context, pod string, _ types.UID, container string, command []string, in io.Reader, out, errs io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	argv, err := k.enter(pod, container)
	if err != nil {
		return err
	}
	argv = append(argv, command...)
	program := exec.CommandContext(ctx, argv[0], argv[1:]...)
	if in != nil {
		if err := pump(program, in); err != nil {
			return err
		}
	}
	if out != nil {
		program.Stdout = out
	}
	if errs != nil {
		program.Stderr = errs
	}
	var exit *exec.ExitError
	if err = program.Run(); errors.As(err, &exit) {
		return &utilexec.ExitErrorWrapper{ExitError: exit}
	}
	return err
}

func (k kubelet) PortForward(ctx context.Context, pod string, _ types.UID, port int32, stream io.ReadWriteCloser) error {
	containers, err := filepath.Glob(filepath.Join(k.run, "pods", pod, "*.json"))
	if err != nil || len(containers) == 0 {
		return fmt.Errorf("pod %s has no containers", pod)
	}
	argv, err := k.enter(pod, strings.TrimSuffix(filepath.Base(containers[0]), ".json"))
	if err != nil {
		return err
	}
	// `nsenter --net=...`: the pod's network is all that is needed.
	program := exec.CommandContext(ctx, argv[0], argv[1], "socat", "-", fmt.Sprintf("TCP4:127.0.0.1:%d", port))
	var errs strings.Builder
	program.Stdout, program.Stderr = stream, &errs
	if err := pump(program, stream); err != nil {
		return err
	}
	if err := program.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, errs.String())
	}
	return nil
}

// options reads the query of a request for logs, as the API server writes it.
func options(query url.Values) *corev1.PodLogOptions {
	number := func(name string) *int64 {
		value, err := strconv.ParseInt(query.Get(name), 10, 64)
		if err != nil {
			return nil
		}
		return &value
	}
	told := &corev1.PodLogOptions{
		Follow:       query.Get("follow") == "true",
		Timestamps:   query.Get("timestamps") == "true",
		TailLines:    number("tailLines"),
		LimitBytes:   number("limitBytes"),
		SinceSeconds: number("sinceSeconds"),
	}
	if since, err := time.Parse(time.RFC3339, query.Get("sinceTime")); err == nil {
		at := metav1.NewTime(since)
		told.SinceTime = &at
	}
	return told
}

// flushed sends each piece of a log on as it comes.
type flushed struct{ http.ResponseWriter }

func (f flushed) Write(bytes []byte) (int, error) {
	n, err := f.ResponseWriter.Write(bytes)
	if flusher, ok := f.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
	return n, err
}

// container answers the one question that a followed log asks of a container runtime: whether the container still runs.
type container struct {
	cri.RuntimeService
	file string
}

func (c container) ContainerStatus(context.Context, string, bool) (*runtime.ContainerStatusResponse, error) {
	if _, err := os.Stat(c.file); err != nil {
		exited := &runtime.ContainerStatus{State: runtime.ContainerState_CONTAINER_EXITED}
		return &runtime.ContainerStatusResponse{Status: exited}, nil
	}
	return nil, status.Error(codes.Unavailable, "there is no container runtime")
}

func (k kubelet) logs(w http.ResponseWriter, r *http.Request) {
	name := fmt.Sprintf("%s_%s_%s.log", r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container"))
	path := filepath.Join(k.run, "log", name)
	if _, err := os.Stat(path); err != nil {
		http.Error(w, fmt.Sprintf("container %q in pod %q is waiting to start", r.PathValue("container"), r.PathValue("pod")), http.StatusBadRequest)
		return
	}
	told := logs.NewLogOptions(options(r.URL.Query()), time.Now())
	pod := r.PathValue("namespace") + "_" + r.PathValue("pod")
	running := container{file: filepath.Join(k.run, "pods", pod, r.PathValue("container")+".json")}
	if err := logs.ReadLogs(r.Context(), nil, path, "", told, running, flushed{w}, flushed{w}); err != nil {
		log.Printf("logs of %s: %v", name, err)
	}
}

func main() {
	run := flag.String("run", "", "the folder of a running laboratory")
	listen := flag.String("listen", "", "address to serve on")
	certificate, key := flag.String("cert", "", "certificate file"), flag.String("key", "", "key file")
	flag.Parse()
	k := kubelet{*run}
	pod := func(r *http.Request) string { return r.PathValue("namespace") + "_" + r.PathValue("pod") }
	mux := http.NewServeMux()
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		asked, err := streaming.NewOptions(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		streaming.ServeExec(w, r, k, pod(r), "", r.PathValue("container"), r.URL.Query()["command"], asked, idle, setup, protocols.SupportedStreamingProtocols)
	})
	mux.HandleFunc("/portForward/{namespace}/{pod}", func(w http.ResponseWriter, r *http.Request) {
		asked, err := portforward.NewV4Options(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		portforward.ServePortForward(w, r, k, pod(r), "", asked, idle, setup, portforward.SupportedProtocols)
	})
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.logs)
	log.Fatal(http.ListenAndServeTLS(*listen, *certificate, *key, mux))
}
